variable "path" {
  description = "Path of the function's role in IAM, such as /rotation/."
  type        = string
  default     = "/"

  validation {
    condition     = can(regex("^/([!-~]+/)?$", var.path))
    error_message = "The path of a role begins and ends with a slash."
  }
}

variable "permissions_boundary" {
  description = "ARN of the policy that limits the rights of the function's role, null for none."
  type        = string
  default     = null
}

resource "aws_iam_role" "this" {
  name                 = "${var.name}-${local.region}" # roles belong to the account, not to a region
  path                 = var.path
  permissions_boundary = var.permissions_boundary
  description          = "Execution role of the rotation function ${var.name}"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "lambda.amazonaws.com" }
    }]
  })
}

locals {
  # Secrets Manager calls KMS with the rights of its caller: GenerateDataKey to put a value, Decrypt to read one
  # or to compare a repeated put. So these rights hold on its behalf only, and for no other secret.
  # https://docs.aws.amazon.com/secretsmanager/latest/userguide/security-encryption.html
  on_behalf = {
    for region in distinct(concat([local.region], keys(var.replicas))) :
    region => "secretsmanager.${region}.${data.aws_partition.current.dns_suffix}"
  }

  secret_statements = [
    {
      Sid    = "Secret"
      Effect = "Allow"
      Action = concat([
        "secretsmanager:DescribeSecret",
        "secretsmanager:GetSecretValue",
        "secretsmanager:PutSecretValue",
        "secretsmanager:UpdateSecretVersionStage",
      ], local.secret_actions)
      Resource = values(local.secret_arns)
    },
    {
      Sid      = "Log"
      Effect   = "Allow"
      Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
      Resource = ["${aws_cloudwatch_log_group.this.arn}:*"]
    },
  ]

  admin_statements = [for arns in [local.admin_secret_arns] : {
    Sid      = "AdminSecret"
    Effect   = "Allow"
    Action   = ["secretsmanager:GetSecretValue"]
    Resource = arns
  } if length(arns) > 0]

  key_statements = [for arns in [distinct(compact(values(local.secret_kms_key_arns)))] : {
    Sid      = "SecretKey"
    Effect   = "Allow"
    Action   = ["kms:Decrypt", "kms:GenerateDataKey"]
    Resource = arns
    Condition = {
      StringEquals = {
        "kms:ViaService"                  = local.on_behalf[local.region]
        "kms:EncryptionContext:SecretARN" = [for key, arn in local.secret_arns : arn if local.secret_kms_key_arns[key] != null]
      }
    }
  } if length(arns) > 0]

  admin_key_statements = [for arns in [local.admin_kms_key_arns] : {
    Sid      = "AdminSecretKey"
    Effect   = "Allow"
    Action   = ["kms:Decrypt"]
    Resource = arns
    Condition = {
      StringEquals = {
        "kms:ViaService"                  = local.on_behalf[local.region]
        "kms:EncryptionContext:SecretARN" = local.admin_secret_arns
      }
    }
  } if length(arns) > 0]

  # Without these a rotation succeeds and the replica keeps the previous value. AWS names the two actions, but not which of
  # the regions asks, nor for which of the two ARNs: the condition stops at Secrets Manager.
  # https://docs.aws.amazon.com/secretsmanager/latest/userguide/replicate-secrets_troubleshoot.html
  replica_key_statements = [for arns in [compact(values(local.replica_kms_key_arns))] : {
    Sid       = "ReplicaKeys"
    Effect    = "Allow"
    Action    = ["kms:Encrypt", "kms:GenerateDataKey"]
    Resource  = arns
    Condition = { StringEquals = { "kms:ViaService" = values(local.on_behalf) } }
  } if length(arns) > 0]

  tracing_statements = [for action in [["xray:PutTelemetryRecords", "xray:PutTraceSegments"]] : {
    Sid      = "Trace"
    Effect   = "Allow"
    Action   = action
    Resource = ["*"] # X-Ray knows no narrower one
  } if var.tracing]

  role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      local.secret_statements,
      local.admin_statements,
      local.key_statements,
      local.admin_key_statements,
      local.replica_key_statements,
      local.tracing_statements,
      local.vpc_statements,
    )
  })
}

# The stars are those that AWS leaves no choice but: the streams of one log group, and network interfaces.
#tfsec:ignore:aws-iam-no-policy-wildcards
resource "aws_iam_role_policy" "this" {
  name   = "rotate"
  role   = aws_iam_role.this.id
  policy = local.role_policy

  # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
  lifecycle {
    precondition {
      condition     = length(local.role_policy) <= 10240
      error_message = "The rights of the function exceed 10240 characters, the most that IAM takes in a role: deploy some of the secrets with a function of their own."
    }
  }
}
