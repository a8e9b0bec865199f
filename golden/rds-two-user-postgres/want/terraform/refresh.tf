# Tells applications that a secret has a new value, so that they read it now and not when their cache is old. The
# message is the secret's name and the version's id; it holds no value. Secrets Manager sends this event by itself, without
# a CloudTrail trail, and as best effort: it shortens the wait and replaces no cache's end.
# https://docs.aws.amazon.com/secretsmanager/latest/userguide/event-detail-secret-label-updated-secretsmanager.html

locals {
  refresh_publishers = ["events.amazonaws.com"]
}

resource "aws_cloudwatch_event_rule" "refresh" {
  for_each = local.secret_arns

  name        = "${local.rule_names[each.key]}-refresh"
  description = "A version of the secret becomes the current one."

  event_pattern = jsonencode({
    source      = ["aws.secretsmanager"]
    detail-type = ["Secret Label Updated"]
    resources   = [each.value]
    detail      = { labelUpdated = ["AWSCURRENT"] }
  })
}

resource "aws_cloudwatch_event_target" "refresh" {
  for_each = local.secret_arns

  rule = aws_cloudwatch_event_rule.refresh[each.key].name
  arn  = aws_sns_topic.refresh.arn

  depends_on = [aws_sns_topic_policy.refresh]
}

# Messages name a secret and hold no value. The keys of AWS are of no use here: SNS's own does not let EventBridge publish.
#tfsec:ignore:aws-sns-enable-topic-encryption
resource "aws_sns_topic" "refresh" {
  name              = "${var.name}-refresh"
  kms_master_key_id = local.topic_kms_key_arn
}

resource "aws_sns_topic_policy" "refresh" {
  arn = aws_sns_topic.refresh.arn

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "Rules"
      Effect    = "Allow"
      Principal = { Service = "events.amazonaws.com" }
      Action    = "sns:Publish"
      Resource  = aws_sns_topic.refresh.arn
      Condition = { ArnEquals = { "aws:SourceArn" = values(aws_cloudwatch_event_rule.refresh)[*].arn } }
    }]
  })
}

output "refresh_topic_arn" {
  description = "ARN of the topic that tells of new values: subscribe the applications, or what restarts them, to it."
  value       = aws_sns_topic.refresh.arn
}
