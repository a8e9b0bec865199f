variable "auth0_domain" {
  description = "The tenant's domain, such as example.eu.auth0.com. A domain of your own is not the identifier of the Management API, so this is Auth0's."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9-]+([.][a-z0-9-]+)*[.]auth0[.]com$", var.auth0_domain))
    error_message = "The domain ends with .auth0.com, and has neither https:// before it nor a slash after it."
  }
}

locals {
  # Keys of each account in var.secrets, and further settings of the function's environment.
  account_keys      = ["audience"]
  provider_settings = { API_BASE_URL = "https://${var.auth0_domain}" }
}
