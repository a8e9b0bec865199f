variable "account_id" {
  description = "Id of the Cloudflare account that owns the token."
  type        = string
}

# What the first value of the secret says of the account, and what else the function's environment has.
locals {
  account           = { account_id = var.account_id }
  provider_settings = {}
}
