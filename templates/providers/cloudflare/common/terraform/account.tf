locals {
  # Keys of each account in var.secrets, and further settings of the function's environment.
  account_keys      = ["account_id"]
  provider_settings = {}
}
