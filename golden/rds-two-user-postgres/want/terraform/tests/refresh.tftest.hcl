# Messages that tell applications of new values.

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

run "new_values_of_each_secret_are_told" {
  command = apply

  assert {
    condition = toset(keys(aws_cloudwatch_event_rule.refresh)) == toset(keys(output.secret_arns)) && alltrue([
      for key, rule in aws_cloudwatch_event_rule.refresh :
      jsondecode(rule.event_pattern).resources == [output.secret_arns[key]]
    ])
    error_message = "A secret has no rule, or one that matches other secrets."
  }

  assert {
    condition = alltrue([
      for rule in values(aws_cloudwatch_event_rule.refresh) :
      jsondecode(rule.event_pattern).detail-type == ["Secret Label Updated"] &&
      jsondecode(rule.event_pattern).detail.labelUpdated == ["AWSCURRENT"]
    ])
    error_message = "The rules wait for another event than that a version becomes the current one."
  }

  assert {
    condition     = alltrue([for target in values(aws_cloudwatch_event_target.refresh) : target.arn == aws_sns_topic.refresh.arn])
    error_message = "A rule tells another topic."
  }
}

run "only_rules_send" {
  command = apply

  assert {
    condition = alltrue([
      for statement in jsondecode(aws_sns_topic_policy.refresh.policy).Statement :
      statement.Principal == { Service = "events.amazonaws.com" } && statement.Action == "sns:Publish" &&
      toset(statement.Condition.ArnEquals["aws:SourceArn"]) == toset(values(aws_cloudwatch_event_rule.refresh)[*].arn)
    ])
    error_message = "Others may send to the topic than the rules."
  }
}
