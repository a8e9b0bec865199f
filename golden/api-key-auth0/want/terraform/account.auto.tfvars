# Where the applications are.

# auth0_domain = "example.eu.auth0.com"
