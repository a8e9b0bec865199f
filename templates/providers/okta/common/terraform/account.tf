variable "okta_url" {
  description = "Where the Okta organization is, such as https://example.okta.com."
  type        = string

  validation {
    condition     = can(regex("^https://", var.okta_url))
    error_message = "The URL begins with https://: a secret would cross the network in the clear."
  }
}

variable "app_id" {
  description = "Id of the app whose client secret is rotated. All its client secrets belong to this one rotation."
  type        = string
}

variable "client_id" {
  description = "Client id of the app, null if it is the app's id, as it is unless somebody chose another."
  type        = string
  default     = null
}

variable "client_auth" {
  description = "How the app authenticates: its token_endpoint_auth_method, client_secret_basic or client_secret_post."
  type        = string
  default     = "client_secret_basic"

  validation {
    condition     = contains(["client_secret_basic", "client_secret_post"], var.client_auth)
    error_message = "The app authenticates with client_secret_basic or client_secret_post."
  }
}

# What the first value of the secret says of the account, and what else the function's environment has.
locals {
  account           = { app_id = var.app_id, client_id = coalesce(var.client_id, var.app_id) }
  provider_settings = { API_BASE_URL = var.okta_url, CLIENT_AUTH = var.client_auth }
}
