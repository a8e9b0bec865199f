# When rotations begin. Secrets Manager opens windows on the hour, in UTC, at most every four hours, and chooses a time
# within the window for each secret. A window ends before the next one and before the next day.
# https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_RotationRulesType.html

variable "schedule_expression" {
  description = "When to rotate: rate(30 days), rate(12 hours) or cron(0 3 ? * SUN *), in UTC."
  type        = string

  validation {
    condition = anytrue([
      can(regex("^rate\\((1 day|([2-9]|[1-9][0-9]{1,2}) days)\\)$", var.schedule_expression)),
      try(tonumber(regex("^rate\\(([1-9][0-9]*) hours\\)$", var.schedule_expression)[0]), 0) >= 4,
      can(regex("^cron\\(0 [0-9*,/-]+ (\\? [0-9A-Z*][0-9A-Z,*/-]* [1-7A-Z*][0-9A-Z,*/#-]*|(L|[0-9]{1,2}W|[0-9*][0-9,*/-]*) [0-9A-Z*][0-9A-Z,*/-]* \\?) \\*\\)$", var.schedule_expression)),
    ]) && try(tonumber(regex("^rate\\(([0-9]+) hours\\)$", var.schedule_expression)[0]), 0) <= 999 * 24
    error_message = "The schedule is a rate of 4 hours to 999 days, as in rate(30 days), or a cron(0 HOURS DAY MONTH WEEKDAY *) in which either DAY or WEEKDAY is ?."
  }

  validation {
    condition = alltrue([
      for item in split(",", try(regex("^cron\\(0 ([^ ]+)", var.schedule_expression)[0], "0")) :
      can(regex("^(\\*|([01]?[0-9]|2[0-3])(-([01]?[0-9]|2[0-3]))?)(/[1-9][0-9]?)?$", item)) &&
      try(tonumber(regex("^([0-9]+)-", item)[0]) <= tonumber(regex("-([0-9]+)", item)[0]), true)
    ])
    error_message = "The hours of a cron are numbers, ranges and steps from 0 to 23, as in 4, 4,16 or 4-20/8. A range over midnight is two: 20-23/4,0-4/4."
  }
}

variable "window" {
  description = "Hours within which a due rotation may begin, such as 3h. Null leaves it to the service: an hour for schedules in hours, else the rest of the day."
  type        = string
  default     = null

  validation {
    condition     = var.window == null || can(regex("^([1-9]|1[0-9]|2[0-4])h$", var.window))
    error_message = "The window is a number of hours such as 3h, at most 24h."
  }
}

variable "spread_starts" {
  description = "Whether each of many secrets begins its window at an hour of its own, within the window that was given. Only a cron with one hour can be moved; the windows of a rate open at midnight."
  type        = bool
  default     = false
}

variable "rotate_immediately" {
  description = "Whether switching rotation on, or changing its schedule, rotates at once. False only tests the credential."
  type        = bool
  default     = false
}

variable "min_rotation_age" {
  description = "How old the last rotation must be before the next may begin: clients may hold the previous credential in their caches until then. 0 switches the guard off."
  type        = string
  default     = "65m"

  validation {
    condition     = can(regex("^(0|([0-9]+h)?([0-9]+m)?([0-9]+s)?)$", var.min_rotation_age)) && var.min_rotation_age != ""
    error_message = "min_rotation_age is a duration such as 65m or 1h30m, or 0."
  }
}

locals {
  # The hours at which windows open: those of a cron, else midnight.
  spans = [
    for item in split(",", try(regex("^cron\\(0 ([^ ]+)", var.schedule_expression)[0], "0")) :
    regex("^(?P<from>\\*|[0-9]+)(?:-(?P<to>[0-9]+))?(?:/(?P<step>[0-9]+))?$", item)
  ]
  opening_hours = [
    for hour in sort(distinct(flatten([
      for span in local.spans : [
        for hour in range(
          span.from == "*" ? 0 : tonumber(span.from),
          span.to != null ? tonumber(span.to) + 1 : span.from == "*" || span.step != null ? 24 : tonumber(span.from) + 1,
          span.step != null ? tonumber(span.step) : 1,
        ) : format("%02d", hour)
      ]
    ]))) : tonumber(hour)
  ]
  hours_apart = [
    for i, hour in local.opening_hours :
    (local.opening_hours[(i + 1) % length(local.opening_hours)] - hour + 23) % 24 + 1
  ]

  rate_hours     = try(tonumber(regex("^rate\\(([0-9]+) hours\\)$", var.schedule_expression)[0]), 24)
  shortest_gap   = try(24 * tonumber(regex("^rate\\(([0-9]+) days?\\)$", var.schedule_expression)[0]), min(local.rate_hours, local.hours_apart...))
  longest_window = min(24 - max(local.opening_hours...), local.rate_hours, local.hours_apart...)
  window_hours   = try(tonumber(trimsuffix(var.window, "h")), local.longest_window)

  # Each hour of the window is the start of some of the secrets. Which of them follows from a secret's key alone, so
  # that a new secret moves no other.
  movable = var.spread_starts && can(regex("^cron\\(0 [0-9]+ ", var.schedule_expression))
  delays = {
    for key in keys(var.secrets) :
    key => local.movable ? parseint(substr(sha256(key), 0, 8), 16) % local.window_hours : 0
  }
  schedules = {
    for key, delay in local.delays : key => {
      expression = replace(var.schedule_expression, "/^cron\\(0 [0-9]+ /", "cron(0 ${local.opening_hours[0] + delay} ")
      window     = var.window == null ? null : "${local.window_hours - delay}h"
    }
  }
}

output "schedules" {
  description = "When each secret is rotated."
  value       = local.schedules

  precondition {
    condition     = min(local.hours_apart...) >= 4
    error_message = "The schedule opens windows more often than every 4 hours."
  }

  precondition {
    condition = sum([
      for unit, seconds in { h = 3600, m = 60, s = 1 } : seconds * try(tonumber(regex("([0-9]+)${unit}", var.min_rotation_age)[0]), 0)
    ]) < local.shortest_gap * 3600
    error_message = "min_rotation_age is shorter than the time between two rotations, or each is refused: with this schedule below ${local.shortest_gap}h."
  }

  precondition {
    condition     = local.window_hours <= local.longest_window
    error_message = "The window reaches into the next one or into the next day (UTC): with this schedule it is at most ${local.longest_window}h."
  }
}

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
