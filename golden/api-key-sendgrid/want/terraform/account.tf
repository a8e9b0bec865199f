variable "eu" {
  description = "Whether the keys belong to subusers in the EU, whose API is at another address."
  type        = bool
  default     = false
}

locals {
  # What the account of each secret in var.secrets has to say, and what else the function's environment has.
  account_keys      = []
  provider_settings = { for url in ["https://api.eu.sendgrid.com"] : "API_BASE_URL" => url if var.eu }
}
