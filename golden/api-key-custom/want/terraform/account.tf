locals {
  # What the account of each secret in var.secrets has to say, and what else the function's environment has.
  account_keys      = []
  provider_settings = {}
}
