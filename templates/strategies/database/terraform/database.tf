# Where the database is. host, port, dbname and username only make the document that "make seed" stores: from then on
# the secret is what counts, and a change of them here does not reach it.

variable "host" {
  description = "Host name of the database as its certificate has it."
  type        = string
}

variable "port" {
  description = "Port of the database, null for the engine's usual one."
  type        = number
  default     = null
}

variable "dbname" {
  description = "Name of the database."
  type        = string
}

variable "username" {
  description = "Database user whose credential the secret holds first."
  type        = string
}

variable "admin_secret_arn" {
  description = "ARN of the secret of a database administrator, null if the rotation needs none."
  type        = string
  default     = null

  validation {
    condition     = var.admin_secret_arn == null || can(regex("^arn:[^:]+:secretsmanager:[^:]+:[0-9]{12}:secret:.+-[A-Za-z0-9]{6}$", var.admin_secret_arn))
    error_message = "The ARN of a secret is needed in full, with the six characters at its end."
  }
}

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
  admin_secret_arns = var.admin_secret_arn == null || !local.admin_acts ? [] : [var.admin_secret_arn]

  database_settings = {
    ALLOW_RECOVERY  = tostring(var.allow_recovery)
    PASSWORD_LENGTH = tostring(var.password_length)
  }

  database_document = {
    engine    = local.engine
    host      = var.host
    port      = coalesce(var.port, local.default_port)
    dbname    = var.dbname
    username  = var.username
    masterarn = var.admin_secret_arn
  }
}
