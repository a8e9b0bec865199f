variable "name" {
  description = "Name of the function, its role and its log group."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,39}$", var.name))
    error_message = "The name has 1 to 40 lower-case letters, digits and hyphens and begins with a letter."
  }
}

variable "seeded" {
  description = "Keys of the secrets that have a value and passed the preflight; \"make deploy\" keeps the list in seeded.auto.tfvars.json. Rotation of a secret is switched on only then: it cannot begin with nothing."
  type        = set(string)
  default     = []
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

variable "memory_size" {
  description = "Memory of the function in MB. It needs 20, but its share of a CPU grows with its memory, and how long a new value takes to become current is CPU time."
  type        = number
  default     = 512

  validation {
    condition     = var.memory_size >= 128 && var.memory_size <= 10240
    error_message = "Lambda takes 128 to 10240 MB."
  }
}

variable "timeout" {
  description = "Seconds after which Lambda kills the function. It stops by itself a little before that, with an error that says what it was waiting for."
  type        = number
  default     = 60

  validation {
    condition     = var.timeout >= 30 && var.timeout <= 900
    error_message = "The timeout is 30 to 900 seconds: below 30 a slow log-in is a failed rotation."
  }
}

variable "tracing" {
  description = "Whether AWS X-Ray records invocations."
  type        = bool
  default     = false
}

variable "code_signing_config_arn" {
  description = "ARN of a code signing configuration that the package must satisfy, null for none."
  type        = string
  default     = null
}

variable "log_retention_in_days" {
  description = "Days for which the function's log is kept."
  type        = number
  default     = 90
}
