variable "api_base_url" {
  description = "URL before the paths in generic/provider.json, null for the one that stands there."
  type        = string
  default     = null

  validation {
    condition     = var.api_base_url == null || can(regex("^https://", var.api_base_url))
    error_message = "The URL begins with https://: a key would cross the network in the clear."
  }
}

variable "account" {
  description = "Further keys of the secret's first value, which generic/provider.json can refer to."
  type        = map(string)
  default     = {}
}

# What the first value of the secret says of the account, and what else the function's environment has.
locals {
  account           = var.account
  provider_settings = var.api_base_url == null ? {} : { API_BASE_URL = var.api_base_url }
}
