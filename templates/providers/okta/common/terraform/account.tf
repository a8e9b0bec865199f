variable "okta_url" {
  description = "Where the Okta organization is, such as https://example.okta.com."
  type        = string

  validation {
    condition     = can(regex("^https://", var.okta_url))
    error_message = "The URL begins with https://: a secret would cross the network in the clear."
  }
}

variable "client_auth" {
  description = "How the apps authenticate: their token_endpoint_auth_method, client_secret_basic or client_secret_post."
  type        = string
  default     = "client_secret_basic"

  validation {
    condition     = contains(["client_secret_basic", "client_secret_post"], var.client_auth)
    error_message = "Apps authenticate with client_secret_basic or client_secret_post."
  }
}

locals {
  # Keys of each account in var.secrets, and further settings of the function's environment.
  account_keys      = ["app_id", "client_id"]
  provider_settings = { API_BASE_URL = var.okta_url, CLIENT_AUTH = var.client_auth }
}
