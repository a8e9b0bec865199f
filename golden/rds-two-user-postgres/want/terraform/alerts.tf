# Tells people of a rotation that fails, by its event, and of what no event tells, by alarms.

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
      "Runbook: ${var.runbook_url}#a-rotation-failed",
    ] : "\"${line}\""])
  }

  depends_on = [aws_sns_topic_policy.alerts]
}

# Messages name a secret and hold no value. The keys of AWS are of no use here: SNS's own does not let EventBridge publish.
#tfsec:ignore:aws-sns-enable-topic-encryption
resource "aws_sns_topic" "alerts" {
  name              = "${var.name}-alerts"
  kms_master_key_id = local.topic_kms_key_arn
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
          ArnEquals = {
            "aws:SourceArn" = concat(
              values(aws_cloudwatch_metric_alarm.function)[*].arn,
              values(aws_cloudwatch_metric_alarm.overdue)[*].arn,
              values(aws_cloudwatch_metric_alarm.replica)[*].arn,
            )
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

  precondition {
    condition     = var.overdue_after_days > local.days_apart
    error_message = "overdue_after_days is more than ${local.days_apart}, the days between two rotations, or the alarm fires although nothing is wrong."
  }
}

# Alarms tell of what no event does, or only with a trail: the function's own failures, and a rotation that did not come.

variable "overdue_after_days" {
  description = "Age of the last successful rotation, in days, that is an alarm: the longest time between two of schedule_expression, and some for retries."
  type        = number
}

locals {
  # Days between two rotations, as far as the schedule shows them at a glance: of a rate exactly, of a cron with one day of the
  # week or of the month at least.
  days_apart = try(
    tonumber(regex("^rate\\(([0-9]+) days?\\)$", var.schedule_expression)[0]),
    regex("^cron\\(0 [^ ]+ \\? [^ ]+ [1-7A-Z]+ ", var.schedule_expression) != "" ? 7 : 0,
    regex("^cron\\(0 [^ ]+ (?:L|[0-9]+W?) ", var.schedule_expression) != "" ? 31 : 0,
    1,
  )
}

locals {
  function_alarms = {
    errors = {
      metric    = "Errors"
      statistic = "Sum"
      threshold = 0
      text      = "An invocation of the function failed: its log has the code."
    }
    throttles = {
      metric    = "Throttles"
      statistic = "Sum"
      threshold = 0
      text      = "Lambda refused an invocation: the account's concurrency is used up."
    }
    duration = {
      metric    = "Duration"
      statistic = "Maximum"
      threshold = aws_lambda_function.this.timeout * 1000 * 0.8
      text      = "An invocation took four fifths of the function's timeout: something that it waits for is slow or does not answer."
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "function" {
  for_each = local.function_alarms

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = "${each.value.text} ${var.runbook_url}#an-alarm-went-off"
  namespace           = "AWS/Lambda"
  metric_name         = each.value.metric
  dimensions          = { FunctionName = aws_lambda_function.this.function_name }
  statistic           = each.value.statistic
  period              = 300
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.threshold
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.alert_topic_arns
}

resource "aws_cloudwatch_metric_alarm" "replica" {
  for_each = { for key, arn in local.secret_arns : key => arn if length(var.replicas) > 0 }

  alarm_name          = "${var.name}-${each.key}-replica"
  alarm_description   = "The secret was rotated, but a replica has the previous value. ${var.runbook_url}#a-replica-shows-a-previous-value"
  namespace           = "Rotasmith"
  metric_name         = "ReplicaFailures"
  dimensions          = { SecretId = each.value, Step = "finishSecret" }
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.alert_topic_arns
}

# A missed rotation emits no metric of its own: an alarm looks back seven days at the
# most (Period of PutMetricAlarm). So a schedule has the function ask Secrets Manager, which keeps the date, and the
# metric is the age itself. Where nothing has reported it for a day, the watch has failed, and that alarms too.
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
resource "aws_cloudwatch_metric_alarm" "overdue" {
  for_each = { for key, arn in local.secret_arns : key => arn if contains(var.seeded, key) }

  alarm_name          = "${var.name}-${each.key}-overdue"
  alarm_description   = "The secret was not rotated in time, or its age is not known any more. ${var.runbook_url}#an-alarm-went-off"
  namespace           = "Rotasmith"
  metric_name         = "RotationAge"
  dimensions          = { SecretId = each.value }
  statistic           = "Minimum" # so that a rotation ends it at the next report
  period              = 86400
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = var.overdue_after_days * 86400
  treat_missing_data  = "breaching"
  alarm_actions       = local.alert_topic_arns
  ok_actions          = local.alert_topic_arns
}

resource "aws_cloudwatch_event_rule" "age" {
  for_each = local.secret_arns

  name                = "${local.rule_names[each.key]}-age"
  description         = "Has the function report how old the last rotation is."
  schedule_expression = "rate(6 hours)"
}

resource "aws_cloudwatch_event_target" "age" {
  for_each = local.secret_arns

  rule  = aws_cloudwatch_event_rule.age[each.key].name
  arn   = aws_lambda_function.this.arn
  input = jsonencode({ Age = true, SecretId = each.value })
}

# One for all: the policy of a function has 20 KB, of which each secret needs some for Secrets Manager.
resource "aws_lambda_permission" "age" {
  statement_id  = "Age"
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.this.function_name
  principal     = "events.amazonaws.com"
  source_arn    = "arn:${local.partition}:events:${local.region}:${local.account_id}:rule/${var.name}.*"
}

variable "dashboard" {
  description = "Whether to make a dashboard, which costs 3 USD a month beyond an account's first three."
  type        = bool
  default     = false
}

resource "aws_cloudwatch_dashboard" "this" {
  count = var.dashboard ? 1 : 0

  dashboard_name = "${var.name}-${local.region}" # dashboards belong to the account, not to a region

  dashboard_body = jsonencode({
    widgets = concat(
      [for key, arn in local.secret_arns : {
        type   = "metric"
        width  = 12
        height = 6
        properties = {
          title  = "${key}: failed steps, and what did less than it should"
          region = local.region
          view   = "timeSeries"
          period = 3600
          stat   = "Sum"
          metrics = [for metric in ["Failures", "Degraded", "ReplicaFailures"] : [{
            expression = "SEARCH('{Rotasmith,SecretId,Step} SecretId=\"${arn}\" MetricName=\"${metric}\"', 'Sum')"
          }]]
        }
      }],
      [for key, arn in local.secret_arns : {
        type   = "metric"
        width  = 12
        height = 6
        properties = {
          title  = "${key}: days since the last rotation"
          region = local.region
          view   = "timeSeries"
          period = 21600
          metrics = [
            ["Rotasmith", "RotationAge", "SecretId", arn, { id = "age", stat = "Maximum", visible = false }],
            [{ expression = "age / 86400", label = "days" }],
          ]
        }
      }],
      [for alarm in local.function_alarms : {
        type   = "metric"
        width  = 8
        height = 6
        properties = {
          title   = "Function: ${alarm.metric}"
          region  = local.region
          view    = "timeSeries"
          period  = 300
          stat    = alarm.statistic
          metrics = [["AWS/Lambda", alarm.metric, "FunctionName", aws_lambda_function.this.function_name]]
        }
      }],
    )
  })
}
