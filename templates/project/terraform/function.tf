locals {
  package = "${path.module}/../dist/function.zip"

  environment = merge(var.environment, local.settings, {
    ALLOWED_SECRETS   = join(",", concat([aws_secretsmanager_secret.this.arn], local.admin_secret_arns))
    ROTATION_DISABLED = tostring(var.rotation_disabled)
  })
}

# No dead-letter queue: Secrets Manager invokes synchronously and tries again itself. No reserved concurrency: a
# throttled invocation is a failed rotation. No tracing: the log and the metrics of a step say what it waited for.
#tfsec:ignore:aws-lambda-enable-tracing
resource "aws_lambda_function" "this" {
  function_name = var.name
  description   = "Rotates the secret ${var.secret_name}."
  role          = aws_iam_role.this.arn

  filename         = local.package
  source_code_hash = fileexists(local.package) ? filebase64sha256(local.package) : null
  runtime          = "provided.al2023"
  architectures    = ["arm64"]
  handler          = "bootstrap"

  # The function needs 20 MB, but its share of a CPU grows with its memory, and how long a new password takes to
  # become current is CPU time.
  memory_size = 512

  # The function stops by itself a little before this, with an error that says what it was waiting for.
  timeout = 60

  environment {
    variables = local.environment
  }

  logging_config {
    log_format = "JSON"
    log_group  = aws_cloudwatch_log_group.this.name
  }

  dynamic "vpc_config" {
    for_each = local.vpc_config

    content {
      subnet_ids         = vpc_config.value.subnet_ids
      security_group_ids = vpc_config.value.security_group_ids
    }
  }

  lifecycle {
    precondition {
      condition     = fileexists(local.package)
      error_message = "dist/function.zip is missing: run \"make package\"."
    }

    precondition {
      condition     = length(join("", concat(keys(local.environment), values(local.environment)))) <= 4096
      error_message = "The function's environment exceeds 4 KB, the most that Lambda takes."
    }
  }

  # Lambda creates the network interfaces of a VPC function with the role's rights.
  depends_on = [aws_iam_role_policy.this]
}

resource "aws_lambda_permission" "secrets_manager" {
  statement_id   = "SecretsManager"
  action         = "lambda:InvokeFunction"
  function_name  = aws_lambda_function.this.function_name
  principal      = "secretsmanager.amazonaws.com"
  source_account = data.aws_caller_identity.current.account_id
  source_arn     = aws_secretsmanager_secret.this.arn
}
