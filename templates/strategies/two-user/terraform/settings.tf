variable "users" {
  description = "Where the users come from: preprovisioned, both exist, or clone, the rotation makes the second like the first."
  type        = string

  validation {
    condition     = contains(["preprovisioned", "clone"], var.users)
    error_message = "The users are preprovisioned or clone."
  }
}

variable "min_rotation_age" {
  description = "How old the last rotation must be before the next may begin: a client may hold the former user's credential in its cache. 0 switches the guard off."
  type        = string
  default     = "65m"
}

variable "revoke_extra" {
  description = "With users = \"clone\", whether the clone loses rights that the other user does not have. They are only reported otherwise."
  type        = bool
  default     = false
}

locals {
  user_pairs = distinct([for secret in values(var.secrets) : sort([secret.username, secret.alternate_username])])

  # Which administrator acts for which secret and users; of ARNs what follows ":secret:".
  mandates = [for key, secret in var.secrets : {
    secret = replace(local.secret_arns[key], "/^.*:secret:/", "")
    admin  = replace(secret.admin_secret_arn, "/^.*:secret:/", "")
    users  = [secret.username, secret.alternate_username]
  }]

  settings = merge(local.database_settings, {
    MIN_ROTATION_AGE = var.min_rotation_age
    REVOKE_EXTRA     = tostring(var.revoke_extra)
    SECRETS          = jsonencode(local.mandates)
    USERS            = var.users
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
