variable "name" {
  description = "Name of the function, its role and its log group."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,39}$", var.name))
    error_message = "The name has 1 to 40 lower-case letters, digits and hyphens and begins with a letter."
  }
}

variable "secret_name" {
  description = "Name of the secret, which is created here and given its first value by \"make seed\"."
  type        = string
}

variable "recovery_window_in_days" {
  description = "Days for which a deleted secret can be restored: 7 to 30, or 0 to delete at once."
  type        = number
  default     = 30
}

variable "seeded" {
  description = "Whether the secret has its first value. Rotation is switched on only then: it cannot begin with nothing."
  type        = bool
  default     = false
}

variable "schedule_expression" {
  description = "When to rotate: rate(30 days) or cron(0 3 ? * SUN *), in UTC."
  type        = string

  validation {
    condition     = can(regex("^(rate|cron)\\(.+\\)$", var.schedule_expression))
    error_message = "The schedule is a rate(...) or a cron(...)."
  }
}

variable "window" {
  description = "Hours within which a due rotation may begin, such as 3h, null for the service's default."
  type        = string
  default     = null

  validation {
    condition     = var.window == null || can(regex("^[1-9][0-9]?h$", var.window))
    error_message = "The window is a number of hours such as 3h."
  }
}

variable "rotate_immediately" {
  description = "Whether switching rotation on, or changing its schedule, rotates at once. False only tests the credential."
  type        = bool
  default     = false
}

variable "rotation_disabled" {
  description = "The kill switch: no new rotation begins. One that has already stored its new value goes on."
  type        = bool
  default     = false
}

variable "environment" {
  description = "Further environment variables of the function, such as AWS_ENDPOINT_URL_SECRETS_MANAGER."
  type        = map(string)
  default     = {}
}

variable "log_retention_in_days" {
  description = "Days for which the function's log is kept."
  type        = number
  default     = 90
}
