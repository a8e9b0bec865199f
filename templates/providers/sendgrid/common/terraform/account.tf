variable "eu" {
  description = "Whether the keys belong to subusers in the EU, whose API is at another address."
  type        = bool
  default     = false
}

locals {
  # Keys of each account in var.secrets, and further settings of the function's environment.
  account_keys      = []
  provider_settings = { for url in ["https://api.eu.sendgrid.com"] : "API_BASE_URL" => url if var.eu }
}
