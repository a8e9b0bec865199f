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

  # "seeded" remembers which keys have a live secret, so that it tells a key that was renamed from one that is new.
  precondition {
    condition     = length(setsubtract(var.seeded, keys(var.secrets))) == 0
    error_message = <<-EOT
      This plan would take down a live secret: seeded has ${join(", ", setsubtract(var.seeded, keys(var.secrets)))}, and secrets does not.
      A key that was renamed: see "A key of secrets was renamed" in RUNBOOK.md. In short: keep the secret's name, run
      terraform state mv 'aws_secretsmanager_secret.this["OLD"]' 'aws_secretsmanager_secret.this["NEW"]' (or write a moved block),
      and rename the key in seeded.auto.tfvars.json too. A secret that is to go: remove its key from seeded first.
    EOT
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
