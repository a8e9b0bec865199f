variable "gitlab_url" {
  description = "Where GitLab is."
  type        = string
  default     = "https://gitlab.com"

  validation {
    condition     = can(regex("^https://[^/]+(/.*[^/])?$", var.gitlab_url))
    error_message = "The URL begins with https://, or a token would cross the network in the clear, and does not end with a slash."
  }
}

variable "token_lifetime" {
  description = "How long a token is valid, such as 4320h: longer than two rotation intervals, and no longer than GitLab allows, by default 365 days in its own time zone."
  type        = string
  default     = "8736h"
}

locals {
  # Keys of each account in var.secrets, and further settings of the function's environment.
  account_keys      = ["owner"]
  provider_settings = { API_BASE_URL = "${var.gitlab_url}/api/v4", TOKEN_LIFETIME = var.token_lifetime }
}
