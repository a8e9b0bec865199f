output "region" {
  description = "Region of the secrets and the function."
  value       = local.region
}

output "secret_arns" {
  description = "ARNs of the secrets by their keys."
  value       = local.secret_arns

  precondition {
    condition     = length(var.secrets) > 0 && alltrue([for key in keys(var.secrets) : can(regex("^[a-z0-9][a-z0-9_-]{0,39}$", key))])
    error_message = "There is one secret or more, and each has a key of 1 to 40 lower-case letters, digits, hyphens and underscores."
  }
}

output "function_name" {
  description = "Name of the rotation function."
  value       = aws_lambda_function.this.function_name
}

output "role_arn" {
  description = "ARN of the function's role."
  value       = aws_iam_role.this.arn
}

output "log_group_name" {
  description = "Name of the function's log group."
  value       = aws_cloudwatch_log_group.this.name
}
