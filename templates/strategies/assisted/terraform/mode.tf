locals {
  mode_settings = {}

  # To find the keys of previous versions.
  mode_actions = ["secretsmanager:ListSecretVersionIds"]
}
