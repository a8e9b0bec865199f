resource "aws_secretsmanager_secret_rotation" "this" {
  count = var.seeded ? 1 : 0

  secret_id           = aws_secretsmanager_secret.this.id
  rotation_lambda_arn = aws_lambda_function.this.arn

  # Every change below calls RotateSecret; unless this is false, each one is a rotation.
  rotate_immediately = var.rotate_immediately

  rotation_rules {
    schedule_expression = var.schedule_expression
    duration            = var.window
  }

  # Switching rotation on invokes the function.
  depends_on = [
    aws_iam_role_policy.this,
    aws_lambda_permission.secrets_manager,
  ]
}
