resource "aws_secretsmanager_secret_rotation" "this" {
  for_each = {
    for key, schedule in local.schedules :
    key => merge(schedule, { secret_arn = local.secret_arns[key] }) if contains(var.seeded, key)
  }

  secret_id           = each.value.secret_arn
  rotation_lambda_arn = aws_lambda_function.this.arn

  # Every change below calls RotateSecret; unless this is false, each one is a rotation.
  rotate_immediately = var.rotate_immediately

  rotation_rules {
    schedule_expression = each.value.expression
    duration            = each.value.window
  }

  # Switching rotation on invokes the function.
  depends_on = [
    aws_iam_role_policy.this,
    aws_lambda_permission.secrets_manager,
  ]
}
