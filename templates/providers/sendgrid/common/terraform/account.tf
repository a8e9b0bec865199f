variable "eu" {
  description = "Whether the keys belong to a subuser in the EU, whose API is at another address."
  type        = bool
  default     = false
}

# What the first value of the secret says of the account, and what else the function's environment has.
locals {
  account           = {}
  provider_settings = var.eu ? { API_BASE_URL = "https://api.eu.sendgrid.com" } : {}
}
