# The secrets are made here, empty. They have no aws_secretsmanager_secret_version, and must never get one: rotations push
# that version out, and the next apply would create it anew, which makes the first value the current one again.

variable "recovery_window_in_days" {
  description = "Days for which a deleted secret can be restored: 7 to 30, or 0 to delete at once."
  type        = number
  default     = 30

  validation {
    condition     = var.recovery_window_in_days == 0 || var.recovery_window_in_days >= 7 && var.recovery_window_in_days <= 30
    error_message = "The recovery window is 7 to 30 days, or 0."
  }
}

variable "reader_arns" {
  description = "ARNs of roles that may read the secrets by the secrets' own policy, which a role of another account needs. Roles of this account may do with their own policies alone."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.reader_arns : can(regex("^arn:[^:]+:iam::[0-9]{12}:(role|user)/.+$", arn))])
    error_message = "A reader is the ARN of a role or a user."
  }
}

locals {
  secret_arns         = { for key, secret in aws_secretsmanager_secret.this : key => secret.arn }
  secret_kms_key_arns = { for key in keys(var.secrets) : key => local.kms_key_arn }
  secret_names        = { for key, secret in var.secrets : key => coalesce(secret.name, key) }
  reader_arns         = var.reader_arns
  new_replicas        = var.replicas
}

resource "aws_secretsmanager_secret" "this" {
  for_each = var.secrets

  name                           = local.secret_names[each.key]
  description                    = "Rotated by the function ${var.name}."
  kms_key_id                     = local.kms_key_arn
  recovery_window_in_days        = var.recovery_window_in_days
  force_overwrite_replica_secret = false # a secret of that name in the other region is another person's

  dynamic "replica" {
    for_each = local.replica_kms_key_arns

    content {
      region     = replica.key
      kms_key_id = replica.value
    }
  }

  lifecycle {
    precondition {
      condition     = each.value.arn == null
      error_message = "The secret ${each.key} is made here and has no ARN to give. For secrets that exist make the project with --set secret=existing."
    }

    precondition {
      condition     = can(local.first_values[each.key])
      error_message = "The secret ${each.key} is made here, and var.secrets says too little for its first value."
    }
  }
}

resource "aws_secretsmanager_secret_policy" "this" {
  for_each = { for key, arn in local.secret_arns : key => arn if length(var.reader_arns) > 0 }

  secret_arn          = each.value
  block_public_policy = true

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "Read"
      Effect    = "Allow"
      Principal = { AWS = var.reader_arns }
      Action    = ["secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"]
      Resource  = "*"
    }]
  })

  lifecycle {
    precondition {
      condition     = local.kms_key_arn != null || alltrue([for arn in var.reader_arns : split(":", arn)[4] == local.account_id])
      error_message = "A reader of another account needs secrets with a customer managed key: no other account may use the key aws/secretsmanager."
    }
  }
}
