# AWS encrypts what is made here with a key of yours. Its policy must let IAM policies of this account decide, or name
# the function's role.

variable "kms_key_arn" {
  description = "ARN of the customer managed key that encrypts the secrets made here."
  type        = string

  validation {
    condition     = can(regex("^arn:[^:]+:kms:[^:]+:[0-9]{12}:key/.+$", var.kms_key_arn))
    error_message = "The key is given by the ARN of a key; an alias is none."
  }
}

variable "encrypt_log" {
  description = "Whether the key encrypts the function's log too: its policy must let logs.REGION.amazonaws.com use it."
  type        = bool
  default     = false
}

variable "encrypt_topics" {
  description = "Whether the key encrypts the SNS topics too: its policy must let events.amazonaws.com and cloudwatch.amazonaws.com use it."
  type        = bool
  default     = false
}

locals {
  kms_key_arn              = var.kms_key_arn
  log_kms_key_arn          = var.encrypt_log ? var.kms_key_arn : null
  topic_kms_key_arn        = var.encrypt_topics ? var.kms_key_arn : null
  new_replica_kms_key_arns = {}
}

output "kms_key_arn" {
  description = "ARN of the key."
  value       = local.kms_key_arn

  precondition {
    condition     = split(":", var.kms_key_arn)[3] == local.region
    error_message = "The key is in another region than the secrets, ${local.region}, and cannot encrypt them."
  }

  precondition {
    condition     = alltrue([for replica in values(local.new_replicas) : replica.kms_key_arn != null])
    error_message = "The secrets have a key of yours, but not every replica has: give each region in replicas a kms_key_arn, or the copies there are encrypted with aws/secretsmanager."
  }
}
