# The secrets exist and stay as they are: value, key, policy and replicas belong to someone else. This project only
# sets their rotation, and destroying it undoes that.

data "aws_secretsmanager_secret" "this" {
  for_each = var.secrets

  arn = each.value.arn

  lifecycle {
    precondition {
      condition     = can(regex("^arn:[^:]+:secretsmanager:${local.region}:${local.account_id}:secret:.+-[A-Za-z0-9]{6}$", each.value.arn))
      error_message = "The secret ${each.key} needs the arn of a secret in ${local.region} and this account, in full with the six characters at its end."
    }

    precondition {
      condition     = each.value.name == null
      error_message = "The secret ${each.key} exists: its arn says its name."
    }
  }
}

# A secret may name its key by an id, an ARN or an alias; IAM wants the ARN.
data "aws_kms_key" "secret" {
  for_each = { for key, secret in data.aws_secretsmanager_secret.this : key => secret.kms_key_id if try(length(secret.kms_key_id), 0) > 0 }

  key_id = each.value
}

locals {
  secret_arns         = { for key, secret in data.aws_secretsmanager_secret.this : key => secret.arn }
  secret_kms_key_arns = { for key in keys(var.secrets) : key => try(data.aws_kms_key.secret[key].arn, null) }
  secret_names        = {}
  reader_arns         = []
  new_replicas        = {}
}
