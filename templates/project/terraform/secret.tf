# The secret has no aws_secretsmanager_secret_version, and must never get one: rotations push that version out, and the
# next apply would create it anew, which makes the first value the current one again.

# Encrypted with the key aws/secretsmanager, which only this account can use.
#tfsec:ignore:aws-ssm-secret-use-customer-key
resource "aws_secretsmanager_secret" "this" {
  name                    = var.secret_name
  description             = "Rotated by the function ${var.name}."
  recovery_window_in_days = var.recovery_window_in_days
}
