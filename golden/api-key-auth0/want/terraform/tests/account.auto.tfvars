auth0_domain = "example.eu.auth0.com"
