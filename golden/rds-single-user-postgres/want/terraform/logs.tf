# Created before the function: Lambda would create it itself, without a retention. CloudWatch encrypts it with a key of
# its own; no secret is ever logged.
#tfsec:ignore:aws-cloudwatch-log-group-customer-key
resource "aws_cloudwatch_log_group" "this" {
  name              = "/aws/lambda/${var.name}"
  retention_in_days = var.log_retention_in_days
  kms_key_id        = local.log_kms_key_arn
}
