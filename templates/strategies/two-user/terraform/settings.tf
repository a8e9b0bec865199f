variable "alternate_username" {
  description = "The other database user: username and alternate_username take turns."
  type        = string
}

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
  secret_actions = []
  admin_acts     = true

  settings = merge(local.database_settings, {
    MIN_ROTATION_AGE = var.min_rotation_age
    REVOKE_EXTRA     = tostring(var.revoke_extra)
    USER_PAIRS       = jsonencode([[var.username, var.alternate_username]])
    USERS            = var.users
  })

  document = merge(local.database_document, { alternate_username = var.alternate_username })
}

output "seed_document" {
  description = "First value of the secret but for the password, which \"make seed\" adds."
  value       = jsonencode({ for key, value in local.document : key => value if value != null })

  precondition {
    condition     = var.admin_secret_arn != null
    error_message = "Two users need admin_secret_arn: neither user may set the other's password."
  }

  precondition {
    condition     = var.username != var.alternate_username
    error_message = "The two users have different names."
  }
}
