# Where the Okta organization is. No secret says so: anyone who can write to one could have the admin's token sent elsewhere.

# okta_url = "https://..."
