# The tests of who is told of what, as far as it can be seen without events.

mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "111122223333" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws", dns_suffix = "amazonaws.com" }
  }
  mock_data "aws_region" {
    defaults = { region = "eu-west-1" }
  }
  mock_data "aws_subnet" {
    defaults = { vpc_id = "vpc-0123456789abcdef0" }
  }
  mock_data "aws_secretsmanager_secret" {
    defaults = { kms_key_id = "11111111-2222-3333-4444-555555555555" }
  }
  mock_data "aws_kms_key" {
    defaults = { arn = "arn:aws:kms:eu-west-1:111122223333:key/11111111-2222-3333-4444-555555555555" }
  }
  mock_resource "aws_secretsmanager_secret" {
    defaults = { arn = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:mocked-AbCdEf" }
  }
  mock_resource "aws_kms_key" {
    defaults = { arn = "arn:aws:kms:eu-west-1:111122223333:key/11111111-2222-3333-4444-555555555555" }
  }
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::111122223333:role/mocked" }
  }
  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:eu-west-1:111122223333:log-group:/aws/lambda/mocked" }
  }
  mock_resource "aws_lambda_function" {
    defaults = { arn = "arn:aws:lambda:eu-west-1:111122223333:function:mocked" }
  }
  mock_resource "aws_sns_topic" {
    defaults = { arn = "arn:aws:sns:eu-west-1:111122223333:mocked" }
  }
  mock_resource "aws_sqs_queue" {
    defaults = { arn = "arn:aws:sqs:eu-west-1:111122223333:mocked" }
  }
  mock_resource "aws_cloudwatch_event_rule" {
    defaults = { arn = "arn:aws:events:eu-west-1:111122223333:rule/mocked" }
  }
  mock_resource "aws_s3_bucket" {
    defaults = { arn = "arn:aws:s3:::mocked" }
  }
  mock_resource "aws_cloudwatch_metric_alarm" {
    defaults = { arn = "arn:aws:cloudwatch:eu-west-1:111122223333:alarm:mocked" }
  }
}

variables {
  schedule_expression = "rate(30 days)"
  window              = null
  spread_starts       = false
  seeded              = []
  replicas            = {}
}

run "failures_of_each_secret_are_told" {
  command = apply

  assert {
    condition = toset(keys(aws_cloudwatch_event_rule.failed)) == toset(keys(output.secret_arns)) && alltrue([
      for key, rule in aws_cloudwatch_event_rule.failed :
      jsondecode(rule.event_pattern).detail.additionalEventData.SecretId == [output.secret_arns[key]]
    ])
    error_message = "A secret has no rule, or one that matches other secrets."
  }

  assert {
    condition = alltrue([
      for rule in values(aws_cloudwatch_event_rule.failed) :
      jsondecode(rule.event_pattern).detail-type == ["AWS Service Event via CloudTrail"]
    ])
    error_message = "Failed rotations are events of another type: no one would be told of one."
  }

  assert {
    condition     = alltrue([for target in values(aws_cloudwatch_event_target.failed) : target.arn == output.alert_topic_arn])
    error_message = "A rule tells another topic."
  }
}

run "only_rules_and_alarms_publish" {
  command = apply

  assert {
    condition = {
      for statement in jsondecode(aws_sns_topic_policy.alerts.policy).Statement :
      statement.Principal.Service => keys(statement.Condition)
    } == { "events.amazonaws.com" = ["ArnEquals"], "cloudwatch.amazonaws.com" = ["ArnEquals"] }
    error_message = "Others may publish to the topic than this account's rules and alarms."
  }

  assert {
    condition = alltrue([
      for statement in jsondecode(aws_sns_topic_policy.alerts.policy).Statement :
      statement.Action == "sns:Publish" && statement.Resource == output.alert_topic_arn
    ])
    error_message = "The topic's policy allows more than to publish to it."
  }

  assert {
    condition     = aws_sns_topic.alerts.kms_master_key_id == local.topic_kms_key_arn
    error_message = "The topic is not encrypted with the key that lets rules and alarms publish."
  }
}

run "overdue_is_what_has_a_value" {
  command = apply

  variables {
    seeded = ["first"]
  }

  assert {
    condition     = keys(aws_cloudwatch_metric_alarm.overdue) == ["first"]
    error_message = "A secret without a value is overdue, or one with a value is not watched."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.overdue["first"].treat_missing_data == "breaching"
    error_message = "An age that no one reports would be no alarm."
  }
}

run "no_trail_is_made_unless_asked_for" {
  command = apply

  assert {
    condition     = length(aws_cloudtrail.this) + length(aws_s3_bucket.trail) == 0
    error_message = "A trail is made although there is one."
  }

  assert {
    condition     = length(aws_cloudwatch_dashboard.this) == 0
    error_message = "A dashboard is made although it was not asked for."
  }
}

run "refuses_overdue_before_it_is_due" {
  command = plan

  variables {
    schedule_expression = "rate(90 days)"
    overdue_after_days  = 32
  }

  expect_failures = [output.alert_topic_arn]
}

run "a_trail_records_management_events" {
  command = apply

  variables {
    trail = "create"
  }

  assert {
    condition     = one(aws_cloudtrail.this[0].event_selector).include_management_events && one(aws_cloudtrail.this[0].event_selector).read_write_type != "ReadOnly"
    error_message = "The trail does not record what rules wait for."
  }
}

run "warns_where_no_trail_is_known" {
  command = plan

  variables {
    trail = "unknown"
  }

  expect_failures = [check.trail]
}

run "refuses_another_trail" {
  command = plan

  variables {
    trail = "perhaps"
  }

  expect_failures = [var.trail]
}
