variable "admin_secret_arn" {
  description = "ARN of the secret with which keys are made and revoked, null if that takes none."
  type        = string
  default     = null

  validation {
    condition     = var.admin_secret_arn == null || can(regex("^arn:[^:]+:secretsmanager:[^:]+:[0-9]{12}:secret:.+-[A-Za-z0-9]{6}$", var.admin_secret_arn))
    error_message = "The ARN of a secret is needed in full, with the six characters at its end."
  }
}

variable "min_rotation_age" {
  description = "How old the last rotation must be before the next may begin: a client may hold the former key in its cache. 0 switches the guard off."
  type        = string
  default     = "65m"
}

locals {
  admin_secret_arns = var.admin_secret_arn == null ? [] : [var.admin_secret_arn]

  settings = merge(local.mode_settings, local.provider_settings, {
    MIN_ROTATION_AGE = var.min_rotation_age
  })

  document = merge(local.account, { admin_arn = var.admin_secret_arn })
}

output "seed_document" {
  description = "First value of the secret but for the key and its id, which \"make seed\" adds."
  value       = jsonencode({ for key, value in local.document : key => value if value != null })
}
