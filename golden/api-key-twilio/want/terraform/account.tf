variable "verify_path" {
  description = "What a key is proven with: the path at api.twilio.com of a list that it may read. Restricted keys need one that their policy names."
  type        = string
  default     = "/2010-04-01/Accounts/{account_sid}/Usage/Records.json"

  validation {
    condition     = startswith(var.verify_path, "/")
    error_message = "The path begins with a slash: the host is Twilio's."
  }
}

locals {
  # What the account of each secret in var.secrets has to say, and what else the function's environment has.
  account_keys      = ["account_sid"]
  provider_settings = { VERIFY_PATH = var.verify_path }
}
