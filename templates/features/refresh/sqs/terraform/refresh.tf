# Tells an application that a secret has a new value, so that it reads it now and not when its cache is old. The
# message is the secret's name and the version's id; it holds no value. Secrets Manager sends this event by itself, without
# a CloudTrail trail, and as best effort: it shortens the wait and replaces no cache's end.
# https://docs.aws.amazon.com/secretsmanager/latest/userguide/event-detail-secret-label-updated-secretsmanager.html

locals {
  refresh_publishers = [] # SQS encrypts with a key of its own, which takes no policy
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
  arn  = aws_sqs_queue.refresh.arn

  depends_on = [aws_sqs_queue_policy.refresh]
}

resource "aws_sqs_queue" "refresh" {
  name                    = "${var.name}-refresh"
  sqs_managed_sse_enabled = true
}

resource "aws_sqs_queue_policy" "refresh" {
  queue_url = aws_sqs_queue.refresh.url

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "Rules"
      Effect    = "Allow"
      Principal = { Service = "events.amazonaws.com" }
      Action    = "sqs:SendMessage"
      Resource  = aws_sqs_queue.refresh.arn
      Condition = { ArnEquals = { "aws:SourceArn" = values(aws_cloudwatch_event_rule.refresh)[*].arn } }
    }]
  })
}

output "refresh_queue_url" {
  description = "URL of the queue that tells of new values."
  value       = aws_sqs_queue.refresh.url
}
