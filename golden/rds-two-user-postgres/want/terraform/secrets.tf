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
