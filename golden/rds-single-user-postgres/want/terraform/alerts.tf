# Tells people of a rotation that fails, by its event, and of what no event tells, by alarms (alarms.tf).

variable "alert_emails" {
  description = "Addresses that are told. Each has to confirm; chat and pagers subscribe to the topic themselves."
  type        = list(string)
  default     = []
}

variable "runbook_url" {
  description = "Where RUNBOOK.md can be read. Every alert ends with it."
  type        = string
  default     = "RUNBOOK.md"

  validation {
    condition     = can(regex("^[^\"<>\\s]+$", var.runbook_url))
    error_message = "The runbook's address has no blanks, quotes or angle brackets."
  }
}

locals {
  alert_publishers = ["cloudwatch.amazonaws.com", "events.amazonaws.com"]
  alert_topic_arns = [aws_sns_topic.alerts.arn]
}

# "AWS API Call via CloudTrail" would match nothing: these events come from the service itself, as a trail records them
# (trail.tf). They have no "resources" and no request either; only here stands the ARN. A rule for each secret, because
# the 2048 characters of a pattern end with some fifteen ARNs.
# https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-service-event-cloudtrail.html
resource "aws_cloudwatch_event_rule" "failed" {
  for_each = local.secret_arns

  name        = "${local.rule_names[each.key]}-failed"
  description = "A rotation of the secret failed or was abandoned, or the test of its credential failed."

  event_pattern = jsonencode({
    source      = ["aws.secretsmanager"]
    detail-type = ["AWS Service Event via CloudTrail"]
    detail = {
      eventSource         = ["secretsmanager.amazonaws.com"]
      eventName           = ["RotationFailed", "RotationAbandoned", "TestRotationFailed"]
      additionalEventData = { SecretId = [each.value] }
    }
  })
}

resource "aws_cloudwatch_event_target" "failed" {
  for_each = local.secret_arns

  rule = aws_cloudwatch_event_rule.failed[each.key].name
  arn  = aws_sns_topic.alerts.arn

  # Each line is a string of its own. Not jsonencode, which would spell <event> as \u003cevent\u003e. A rotation that was
  # abandoned has no error: its place stays empty.
  input_transformer {
    input_paths = {
      account = "$.account"
      error   = "$.detail.errorMessage"
      event   = "$.detail.eventName"
      region  = "$.region"
      secret  = "$.detail.additionalEventData.SecretId"
      time    = "$.time"
    }

    input_template = join("\n", [for line in [
      "<event>: the rotation of a secret did not succeed.",
      "Secret: <secret>",
      "Where and when: region <region>, account <account>, <time>",
      "What Secrets Manager says: <error>",
      "Function: ${aws_lambda_function.this.function_name}; its log has the code of the failure (make logs).",
      "What to do: ${var.runbook_url}#a-rotation-failed",
    ] : "\"${line}\""])
  }

  depends_on = [aws_sns_topic_policy.alerts]
}

resource "aws_sns_topic" "alerts" {
  name              = "${var.name}-alerts"
  kms_master_key_id = aws_kms_key.topics[0].arn
}

resource "aws_sns_topic_policy" "alerts" {
  arn = aws_sns_topic.alerts.arn

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "Rules"
        Effect    = "Allow"
        Principal = { Service = "events.amazonaws.com" }
        Action    = "sns:Publish"
        Resource  = aws_sns_topic.alerts.arn
        Condition = { ArnEquals = { "aws:SourceArn" = values(aws_cloudwatch_event_rule.failed)[*].arn } }
      },
      {
        Sid       = "Alarms"
        Effect    = "Allow"
        Principal = { Service = "cloudwatch.amazonaws.com" }
        Action    = "sns:Publish"
        Resource  = aws_sns_topic.alerts.arn
        Condition = {
          ArnLike = {
            "aws:SourceArn" = "arn:${local.partition}:cloudwatch:${local.region}:${local.account_id}:alarm:${var.name}-*"
          }
        }
      },
    ]
  })
}

resource "aws_sns_topic_subscription" "alerts" {
  for_each = toset(var.alert_emails)

  topic_arn = aws_sns_topic.alerts.arn
  protocol  = "email"
  endpoint  = each.value
}

output "alert_topic_arn" {
  description = "ARN of the topic that tells of failures: subscribe chat and pagers to it."
  value       = aws_sns_topic.alerts.arn
}
