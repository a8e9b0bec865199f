locals {
  mode_settings = {}

  # To find the keys of former versions.
  mode_actions = ["secretsmanager:ListSecretVersionIds"]
}
