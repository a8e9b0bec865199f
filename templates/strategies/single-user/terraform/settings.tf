variable "change_as" {
  description = "Who changes the password: self, the user itself, or admin, the administrator of admin_secret_arn."
  type        = string

  validation {
    condition     = contains(["self", "admin"], var.change_as)
    error_message = "The password is changed as self or admin."
  }
}

variable "recovery_versions" {
  description = "How many former versions of the secret to try when none of the labelled ones can log in."
  type        = number
  default     = 5
}

variable "min_rotation_age" {
  description = "How old the last rotation must be before the next may begin, where the server lets the former password log in until then: a client may hold it in its cache. 0 switches the guard off."
  type        = string
  default     = "65m"
}

locals {
  settings = merge(local.database_settings, {
    CHANGE_AS         = var.change_as
    MIN_ROTATION_AGE  = var.min_rotation_age
    RECOVERY_VERSIONS = tostring(var.recovery_versions)
  }, local.admin_acts ? { SECRETS = jsonencode(local.mandates) } : {})

  # Which administrator acts for which secret and user; of ARNs what follows ":secret:".
  mandates = [for key, secret in var.secrets : {
    secret = replace(local.secret_arns[key], "/^.*:secret:/", "")
    admin  = replace(coalesce(secret.admin_secret_arn, "none"), "/^.*:secret:/", "")
    users  = compact([secret.username])
  }]

  # To find the former versions.
  secret_actions = ["secretsmanager:ListSecretVersionIds"]

  admin_acts   = var.change_as == "admin"
  first_values = local.database_values
}

output "change_as" {
  description = "Who changes the password."
  value       = var.change_as

  precondition {
    condition     = var.change_as == "self" || alltrue([for secret in values(var.secrets) : secret.admin_secret_arn != null])
    error_message = "With change_as = \"admin\", each secret's admin_secret_arn names the administrator's secret."
  }
}
