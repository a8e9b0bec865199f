# "make test-terraform" runs these without an account. AWS's answers are mocked; what is known only after it has
# answered is asserted only after apply.

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

run "no_rotation_before_the_first_value" {
  command = apply

  assert {
    condition     = length(aws_secretsmanager_secret_rotation.this) == 0
    error_message = "Rotation is on although no secret has a value."
  }

  assert {
    condition     = toset(keys(output.secret_arns)) == toset(keys(aws_lambda_permission.secrets_manager))
    error_message = "Secrets Manager may not invoke the function for each secret."
  }
}

run "rotation_of_what_has_a_value" {
  command = apply

  variables {
    seeded = ["first"]
  }

  assert {
    condition     = join(",", keys(aws_secretsmanager_secret_rotation.this)) == "first"
    error_message = "Rotation is on for another secret than the one with a value."
  }

  assert {
    condition     = aws_secretsmanager_secret_rotation.this["first"].rotate_immediately == false
    error_message = "Switching rotation on rotates at once."
  }

  assert {
    condition     = alltrue([for permission in values(aws_lambda_permission.secrets_manager) : permission.source_account == "111122223333" && permission.source_arn != null])
    error_message = "The function may be invoked for secrets that are not its own."
  }
}

run "rights_are_narrow" {
  command = apply

  assert {
    condition = alltrue([
      for statement in jsondecode(aws_iam_role_policy.this.policy).Statement :
      !contains(statement.Resource, "*") || statement.Effect == "Deny" || alltrue([for action in statement.Action : startswith(action, "ec2:")])
    ])
    error_message = "A right that could be narrower holds for every resource."
  }

  assert {
    condition     = !strcontains(join(",", flatten(jsondecode(aws_iam_role_policy.this.policy).Statement[*].Action)), "*")
    error_message = "A right covers every action of a service."
  }
}

run "many_secrets_begin_at_hours_of_their_own" {
  command = plan

  variables {
    schedule_expression = "cron(0 1 ? * SUN *)"
    window              = "4h"
    spread_starts       = true
  }

  assert {
    condition = alltrue([
      for schedule in values(output.schedules) :
      tonumber(split(" ", schedule.expression)[1]) + tonumber(trimsuffix(schedule.window, "h")) == 5
    ])
    error_message = "A window does not end with the one that was given."
  }

  assert {
    condition     = output.schedules["first"].expression != output.schedules["last"].expression
    error_message = "The two secrets begin at the same hour."
  }
}

run "a_rate_is_left_as_it_is" {
  command = plan

  variables {
    spread_starts = true
  }

  assert {
    condition     = output.schedules["first"].expression == "rate(30 days)"
    error_message = "The schedule is changed."
  }
}

run "refuses_minutes" {
  command = plan

  variables {
    schedule_expression = "cron(30 3 ? * SUN *)"
  }

  expect_failures = [var.schedule_expression]
}

run "refuses_a_day_and_a_weekday" {
  command = plan

  variables {
    schedule_expression = "cron(0 3 1 * SUN *)"
  }

  expect_failures = [var.schedule_expression]
}

run "refuses_three_hours" {
  command = plan

  variables {
    schedule_expression = "rate(3 hours)"
  }

  expect_failures = [var.schedule_expression]
}

run "refuses_hours_that_are_too_close" {
  command = plan

  variables {
    schedule_expression = "cron(0 22,1 * * ? *)"
  }

  expect_failures = [output.schedules]
}

run "refuses_a_window_beyond_the_day" {
  command = plan

  variables {
    schedule_expression = "cron(0 22 ? * SUN *)"
    window              = "3h"
  }

  expect_failures = [output.schedules]
}

run "refuses_a_guard_that_outlasts_the_schedule" {
  command = plan

  variables {
    schedule_expression = "rate(4 hours)"
    min_rotation_age    = "4h"
  }

  expect_failures = [output.schedules]
}

run "refuses_a_key_of_secrets_that_was_renamed" {
  command = plan

  variables {
    seeded = ["first", "renamed"]
  }

  expect_failures = [output.secret_arns]
}

run "refuses_a_replica_at_home" {
  command = plan

  variables {
    replicas = { "eu-west-1" = { kms_key_arn = "arn:aws:kms:eu-west-1:111122223333:key/11111111-2222-3333-4444-555555555555" } }
  }

  expect_failures = [output.replica_regions]
}

run "refuses_a_key_of_another_region" {
  command = plan

  variables {
    replicas = { "eu-central-1" = { kms_key_arn = "arn:aws:kms:eu-west-1:111122223333:key/11111111-2222-3333-4444-555555555555" } }
  }

  expect_failures = [var.replicas]
}

run "replicas_take_the_rights_on_their_keys" {
  command = apply

  variables {
    replicas = { "eu-central-1" = { kms_key_arn = "arn:aws:kms:eu-central-1:111122223333:key/11111111-2222-3333-4444-555555555555" } }
  }

  assert {
    condition = anytrue([
      for statement in jsondecode(aws_iam_role_policy.this.policy).Statement :
      statement.Action == ["kms:Encrypt", "kms:GenerateDataKey"] &&
      statement.Resource == ["arn:aws:kms:eu-central-1:111122223333:key/11111111-2222-3333-4444-555555555555"]
    ])
    error_message = "The function may not use the key of a replica: rotations would succeed and the replica keep the previous value."
  }
}
