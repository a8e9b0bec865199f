# Database settings of the function and of the first values. host, database_host, port, dbname and the user names of a secret
# only make the document that "make seed" stores: from then on the secret is what counts, and a change of them here does
# not reach it.

variable "password_length" {
  description = "Length of new passwords."
  type        = number
  default     = 32
}

variable "allow_recovery" {
  description = "Whether the administrator may set a password although the secret has no working credential any more. Switch it on for a repair, then off again."
  type        = bool
  default     = false
}

locals {
  # Nothing is allowed on the secret of an administrator who has nothing to do.
  admin_secret_arns  = distinct(compact([for secret in values(var.secrets) : secret.admin_secret_arn if local.admin_acts]))
  admin_kms_key_arns = distinct(compact([for secret in values(var.secrets) : secret.admin_kms_key_arn if local.admin_acts]))

  database_settings = merge(local.engine_settings, {
    ALLOW_RECOVERY  = tostring(var.allow_recovery)
    PASSWORD_LENGTH = tostring(var.password_length)
  })

  database_values = {
    for key, secret in var.secrets : key => {
      engine        = local.engine
      host          = secret.host
      database_host = secret.database_host
      port          = coalesce(secret.port, local.default_port)
      dbname        = secret.dbname
      username      = secret.username
      masterarn     = secret.admin_secret_arn
    } if secret.host != null && secret.dbname != null && secret.username != null
  }
}

output "first_values" {
  description = "First values of the secrets by their keys but for the passwords, which \"make seed\" adds."
  value       = { for key, values in local.first_values : key => { for name, value in values : name => value if value != null } }

  precondition {
    condition     = contains(range(16, local.max_password_length + 1), var.password_length)
    error_message = "password_length is 16 to ${local.max_password_length}, the most that the engine takes."
  }

  precondition {
    condition     = alltrue([for arn in local.admin_secret_arns : can(regex("^arn:[^:]+:secretsmanager:[^:]+:[0-9]{12}:secret:.+-[A-Za-z0-9]{6}$", arn))])
    error_message = "admin_secret_arn is the ARN of a secret in full, with the six characters at its end."
  }

  precondition {
    condition     = alltrue([for arn in local.admin_kms_key_arns : can(regex("^arn:[^:]+:kms:${local.region}:[0-9]{12}:key/.+$", arn))])
    error_message = "admin_kms_key_arn is the ARN of a key in ${local.region}; an alias is none."
  }
}

output "seed_keys" {
  description = "Keys of a first value that \"make seed\" asks for."
  value       = ["password"]
}
