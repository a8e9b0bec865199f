variable "api_base_url" {
  description = "URL before the paths in generic/provider.json, null for the one that stands there."
  type        = string
  default     = null

  validation {
    condition     = var.api_base_url == null || can(regex("^https://", var.api_base_url))
    error_message = "The URL begins with https://: a key would cross the network in the clear."
  }
}

locals {
  # Keys of each account in var.secrets, and further settings of the function's environment.
  account_keys      = []
  provider_settings = { for name, value in { API_BASE_URL = var.api_base_url } : name => value if value != null }
}
