variable "project_id" {
  description = "Id of the OpenAI project that the key belongs to."
  type        = string
}

variable "key_lifetime" {
  description = "How long a key is valid, such as 2160h, a year at the most: longer than a rotation interval and a day. 0 is for ever, which an organization can refuse."
  type        = string
  default     = "0"
}

# What the first value of the secret says of the account, and what else the function's environment has.
locals {
  account           = { project_id = var.project_id }
  provider_settings = { KEY_LIFETIME = var.key_lifetime }
}
