terraform {
  required_version = ">= 1.7"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 6.0"
    }
  }
}

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

data "aws_region" "current" {}

locals {
  account_id = data.aws_caller_identity.current.account_id
  partition  = data.aws_partition.current.partition
  region     = data.aws_region.current.region
}

# settings.tf and the files that it refers to declare what is rotated and how. The other files need of them:
#
#   var.secrets              the secrets by a short key; each has at least name and arn, of which one may be null
#   local.settings           environment variables of the function
#   local.first_values       by key, what "make seed" stores but for the credential, of secrets that have no value yet
#   local.secret_actions     rights on the secrets beyond those that every rotation needs
#   local.admin_secret_arns  other secrets that the function reads
#   local.admin_kms_key_arns customer managed keys that encrypt those

variable "package_path" {
  description = "Path of the function's package, null for dist/function.zip, which \"make package\" builds."
  type        = string
  default     = null
}

variable "package_s3" {
  description = "S3 object that holds the function's package, null for a file. Without a version a new object of the same key is not deployed."
  type = object({
    bucket  = string
    key     = string
    version = optional(string)
  })
  default = null
}

locals {
  package = var.package_s3 == null ? coalesce(var.package_path, "${path.module}/../dist/function.zip") : null

  environment = merge(var.environment, local.network_settings, local.settings, {
    ALLOWED_SECRETS   = join(",", concat(values(local.secret_arns), local.admin_secret_arns))
    MIN_ROTATION_AGE  = var.min_rotation_age
    ROTATION_DISABLED = tostring(var.rotation_disabled)
  })

  # Names of rules, by the secrets' keys. A name has 64 characters, of which some are left for what the rule does. No name
  # of a project has a dot: a pattern that ends with one matches the rules of this project only.
  rule_names = {
    for key, name in { for key in keys(local.secret_arns) : key => "${var.name}.${key}" } :
    key => length(name) <= 56 ? name : "${substr(name, 0, 47)}-${substr(sha256(key), 0, 8)}"
  }
}

# No dead-letter queue: Secrets Manager invokes synchronously and tries again itself. No reserved concurrency: a
# throttled invocation is a failed rotation. Traces only by choice: log and metrics say what a step waited for, and
# X-Ray costs.
#tfsec:ignore:aws-lambda-enable-tracing
resource "aws_lambda_function" "this" {
  function_name = var.name
  description   = "Rotates secrets: ${join(", ", keys(var.secrets))}."
  role          = aws_iam_role.this.arn

  filename                = local.package
  source_code_hash        = try(filebase64sha256(local.package), null)
  s3_bucket               = try(var.package_s3.bucket, null)
  s3_key                  = try(var.package_s3.key, null)
  s3_object_version       = try(var.package_s3.version, null)
  code_signing_config_arn = var.code_signing_config_arn
  runtime                 = "provided.al2023"
  architectures           = ["arm64"]
  handler                 = "bootstrap"
  memory_size             = var.memory_size
  timeout                 = var.timeout

  environment {
    variables = local.environment
  }

  logging_config {
    log_format = "JSON"
    log_group  = aws_cloudwatch_log_group.this.name
  }

  tracing_config {
    mode = var.tracing ? "Active" : "PassThrough"
  }

  dynamic "vpc_config" {
    for_each = local.vpc_config

    content {
      subnet_ids                  = vpc_config.value.subnet_ids
      security_group_ids          = vpc_config.value.security_group_ids
      ipv6_allowed_for_dual_stack = vpc_config.value.ipv6
    }
  }

  lifecycle {
    precondition {
      condition     = var.package_path == null || var.package_s3 == null
      error_message = "The function's package comes from either package_path or package_s3."
    }

    precondition {
      condition     = local.package == null || can(filebase64sha256(local.package))
      error_message = "${coalesce(local.package, "The package")} is missing: run \"make package\"."
    }

    precondition {
      condition     = length(join("", concat(keys(local.environment), values(local.environment)))) <= 4096
      error_message = "The function's environment exceeds 4 KB, the most that Lambda takes: deploy some of the secrets with a function of their own."
    }

    # Lambda stores each permission below as a statement, of some 300 characters beside the names. 512 are for others.
    # https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
    precondition {
      condition     = sum(concat([512], [for key, arn in local.secret_arns : 300 + length("${key}${var.name}${arn}")])) <= 20 * 1024
      error_message = "The permissions of Secrets Manager to invoke the function exceed 20 KB, the most that Lambda takes: deploy some of the secrets with a function of their own."
    }
  }

  # Lambda creates the network interfaces of a VPC function with the role's rights.
  depends_on = [aws_iam_role_policy.this]
}

resource "aws_lambda_permission" "secrets_manager" {
  for_each = local.secret_arns

  statement_id   = "SecretsManager-${each.key}"
  action         = "lambda:InvokeFunction"
  function_name  = aws_lambda_function.this.function_name
  principal      = "secretsmanager.amazonaws.com"
  source_account = local.account_id
  source_arn     = each.value
}

# Created before the function: Lambda would create it itself, without a retention. CloudWatch encrypts it with a key of
# its own; no secret is ever logged.
#tfsec:ignore:aws-cloudwatch-log-group-customer-key
resource "aws_cloudwatch_log_group" "this" {
  name              = "/aws/lambda/${var.name}"
  retention_in_days = var.log_retention_in_days
  kms_key_id        = local.log_kms_key_arn
}
