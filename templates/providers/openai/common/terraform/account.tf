variable "key_lifetime" {
  description = "How long a key is valid, such as 2160h, a year at the most: longer than a rotation interval and a day. 0 is for ever, which an organization can refuse."
  type        = string
  default     = "0"
}

variable "key_scopes" {
  description = "Scopes of new keys, such as api.model.request. None are all that the service account may do."
  type        = list(string)
  default     = []
}

variable "openai_url" {
  description = "Where the keys are used: the region's host for a project with data residency, such as https://eu.api.openai.com/v1."
  type        = string
  default     = "https://api.openai.com/v1"

  validation {
    condition     = can(regex("^https://([a-z]+[.])?api[.]openai[.]com/v1$", var.openai_url))
    error_message = "The URL is one of OpenAI's: https://api.openai.com/v1, or with a region before it."
  }
}

locals {
  # Keys of each account in var.secrets, and further settings of the function's environment.
  account_keys = ["project_id", "service_account_id"]
  provider_settings = {
    API_BASE_URL = var.openai_url
    KEY_LIFETIME = var.key_lifetime
    KEY_SCOPES   = join(",", var.key_scopes)
  }
}
