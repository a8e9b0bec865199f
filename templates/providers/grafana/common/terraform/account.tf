variable "grafana_url" {
  description = "Where Grafana is, such as https://example.grafana.net."
  type        = string

  validation {
    condition     = can(regex("^https://", var.grafana_url))
    error_message = "The URL begins with https://: a token would cross the network in the clear."
  }
}

variable "service_account_id" {
  description = "Id of the service account that the token belongs to, a number."
  type        = string

  validation {
    condition     = can(regex("^[0-9]+$", var.service_account_id))
    error_message = "The id of a service account is a number."
  }
}

variable "token_lifetime" {
  description = "How long a token is valid, such as 2160h: longer than a rotation interval and a day. 0 is for ever, which Grafana can be set to refuse."
  type        = string
  default     = "0"
}

# What the first value of the secret says of the account, and what else the function's environment has.
locals {
  account           = { service_account_id = var.service_account_id }
  provider_settings = { API_BASE_URL = var.grafana_url, TOKEN_LIFETIME = var.token_lifetime }
}
