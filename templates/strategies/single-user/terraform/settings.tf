variable "secrets" {
  description = "The secrets that the function rotates, by short keys of your choice, which \"make\" takes as KEY."
  type = map(object({
    name = optional(string) # in Secrets Manager, the key if null
    arn  = optional(string) # of a secret that exists

    host          = optional(string) # as the database's certificate has it
    database_host = optional(string) # of the database itself, where host is an RDS Proxy: the rotation goes there. Register the secret with the proxy
    port          = optional(number) # the engine's usual one if null
    dbname        = optional(string)
    username      = optional(string) # whose password the secret holds

    admin_secret_arn  = optional(string) # of the administrator's secret, with change_as = "admin"
    admin_kms_key_arn = optional(string) # of the customer managed key that encrypts that one, if one does
  }))
}

variable "change_as" {
  description = "User that changes the password: self, the user itself, or admin, the administrator of admin_secret_arn."
  type        = string

  validation {
    condition     = contains(["self", "admin"], var.change_as)
    error_message = "The password is changed as self or admin."
  }
}

variable "recovery_versions" {
  description = "How many previous versions of the secret to try when none of the labelled ones can log in."
  type        = number
  default     = 5

  validation {
    condition     = contains(range(101), var.recovery_versions)
    error_message = "recovery_versions is 0 to 100, the most versions that Secrets Manager keeps."
  }
}

locals {
  settings = merge(local.database_settings, {
    CHANGE_AS         = var.change_as
    RECOVERY_VERSIONS = tostring(var.recovery_versions)
  }, local.admin_acts ? { SECRETS = jsonencode(local.mandates) } : {})

  # The secrets that each administrator acts for, and their user; of ARNs what follows ":secret:".
  mandates = {
    for admin in distinct(compact(values(var.secrets)[*].admin_secret_arn)) : replace(admin, "/^.*:secret:/", "") => merge([
      for key, secret in var.secrets : { (replace(local.secret_arns[key], "/^.*:secret:/", "")) = compact([secret.username]) }
      if secret.admin_secret_arn == admin
    ]...)
  }

  # To find the previous versions.
  secret_actions = ["secretsmanager:ListSecretVersionIds"]

  admin_acts   = var.change_as == "admin"
  first_values = local.database_values
}

output "change_as" {
  description = "User that changes the password."
  value       = var.change_as

  precondition {
    condition     = var.change_as == "self" || alltrue([for secret in values(var.secrets) : secret.admin_secret_arn != null])
    error_message = "With change_as = \"admin\", each secret's admin_secret_arn names the administrator's secret."
  }
}
