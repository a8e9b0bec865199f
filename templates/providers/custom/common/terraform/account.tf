locals {
  # Keys of each account in var.secrets, and further settings of the function's environment.
  account_keys      = []
  provider_settings = {}
}
