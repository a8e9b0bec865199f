variable "key_lifetime" {
  description = "How long a key is valid, such as 2160h, a year at the most: longer than a rotation interval and a day. 0 is for ever, which an organization can refuse."
  type        = string
  default     = "0"
}

locals {
  # What the account of each secret in var.secrets has to say, and what else the function's environment has.
  account_keys      = ["project_id"]
  provider_settings = { KEY_LIFETIME = var.key_lifetime }
}
