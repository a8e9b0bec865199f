variable "account_sid" {
  description = "SID of the Twilio account that owns the key."
  type        = string

  validation {
    condition     = can(regex("^AC[0-9a-fA-F]{32}$", var.account_sid))
    error_message = "The SID of an account is AC and 32 hexadecimal digits."
  }
}

variable "verify_path" {
  description = "What a key is proven with: the path at api.twilio.com of a list that it may read. A restricted key needs one that its policy names."
  type        = string
  default     = "/2010-04-01/Accounts/{account_sid}/Usage/Records.json"
}

# What the first value of the secret says of the account, and what else the function's environment has.
locals {
  account           = { account_sid = var.account_sid }
  provider_settings = { VERIFY_PATH = var.verify_path }
}
