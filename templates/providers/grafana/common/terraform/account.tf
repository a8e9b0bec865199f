variable "grafana_url" {
  description = "Where Grafana is, such as https://example.grafana.net."
  type        = string

  validation {
    condition     = can(regex("^https://", var.grafana_url))
    error_message = "The URL begins with https://: a token would cross the network in the clear."
  }
}

variable "token_lifetime" {
  description = "How long a token is valid, such as 2160h: longer than a rotation interval and a day. 0 is for ever, which Grafana can be set to refuse."
  type        = string
  default     = "0"
}

locals {
  # Keys of each account in var.secrets, and further settings of the function's environment.
  account_keys      = ["service_account_id"]
  provider_settings = { API_BASE_URL = var.grafana_url, TOKEN_LIFETIME = var.token_lifetime }
}
