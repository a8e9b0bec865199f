variable "secrets" {
  description = "The secrets that the function rotates, by short keys of your choice, which \"make\" takes as KEY."
  type = map(object({
    name = optional(string) # in Secrets Manager, the key if null
    arn  = optional(string) # of a secret that exists

    account = optional(map(string), {}) # what the provider has to be told, such as an account's id

    admin_secret_arn  = optional(string) # of the secret with which keys are made and revoked
    admin_kms_key_arn = optional(string) # of the customer managed key that encrypts that one, if one does
  }))
}
