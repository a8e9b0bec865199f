okta_url = "https://example.okta.com"
