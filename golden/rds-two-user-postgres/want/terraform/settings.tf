variable "secrets" {
  description = "The secrets that the function rotates, by short keys of your choice, which \"make\" takes as KEY."
  type = map(object({
    name = optional(string) # in Secrets Manager, the key if null
    arn  = optional(string) # of a secret that exists

    host               = optional(string) # as the database's certificate has it
    database_host      = optional(string) # of the database itself, where host is an RDS Proxy: the rotation goes there. Register the secret with the proxy
    port               = optional(number) # the engine's usual one if null
    dbname             = optional(string)
    username           = string # the two users take turns; this one is first
    alternate_username = string

    admin_secret_arn  = string           # of the administrator's secret: neither user may set the other's password
    admin_kms_key_arn = optional(string) # of the customer managed key that encrypts that one, if one does
  }))

  validation {
    condition     = alltrue([for secret in values(var.secrets) : secret.username != secret.alternate_username])
    error_message = "The two users of a secret have different names."
  }
}

variable "users" {
  description = "Where the users come from: preprovisioned, both exist, or clone, the rotation makes the second like the first."
  type        = string

  validation {
    condition     = contains(["preprovisioned", "clone"], var.users)
    error_message = "The users are preprovisioned or clone."
  }
}

variable "revoke_extra" {
  description = "With users = \"clone\", whether the clone loses rights that the other user does not have. They are only reported otherwise."
  type        = bool
  default     = false
}

locals {
  user_pairs = distinct([for secret in values(var.secrets) : sort([secret.username, secret.alternate_username])])

  # The secrets that each administrator acts for, and their users; of ARNs what follows ":secret:".
  mandates = {
    for admin in distinct(values(var.secrets)[*].admin_secret_arn) : replace(admin, "/^.*:secret:/", "") => merge([
      for key, secret in var.secrets : { (replace(local.secret_arns[key], "/^.*:secret:/", "")) = [secret.username, secret.alternate_username] }
      if secret.admin_secret_arn == admin
    ]...)
  }

  settings = merge(local.database_settings, {
    REVOKE_EXTRA = tostring(var.revoke_extra)
    SECRETS      = jsonencode(local.mandates)
    USERS        = var.users
  })

  secret_actions = []
  admin_acts     = true

  first_values = {
    for key, values in local.database_values :
    key => merge(values, { alternate_username = var.secrets[key].alternate_username })
  }
}

output "user_pairs" {
  description = "The only database users whose passwords the function sets."
  value       = local.user_pairs

  precondition {
    condition     = length(distinct(flatten(local.user_pairs))) == 2 * length(local.user_pairs)
    error_message = "A user belongs to one pair: secrets may share a pair of users' names, but not one of its names."
  }
}
