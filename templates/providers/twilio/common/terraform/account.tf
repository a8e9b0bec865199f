variable "verify_path" {
  description = "List that proves a key: its path at api.twilio.com. Restricted keys need one that their policy names."
  type        = string
  default     = "/2010-04-01/Accounts/{account_sid}/Usage/Records.json"

  validation {
    condition     = startswith(var.verify_path, "/")
    error_message = "The path begins with a slash: the host is Twilio's."
  }
}

locals {
  # Keys of each account in var.secrets, and further settings of the function's environment.
  account_keys      = ["account_sid"]
  provider_settings = { VERIFY_PATH = var.verify_path }
}
