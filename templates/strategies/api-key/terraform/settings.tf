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

# Settings of the function and of the first values. account and admin_secret_arn of a secret only make the document
# that "make seed" stores: from then on the secret is what counts, and a change of them here does not reach it.

locals {
  admin_secret_arns  = distinct(compact([for secret in values(var.secrets) : secret.admin_secret_arn]))
  admin_kms_key_arns = distinct(compact([for secret in values(var.secrets) : secret.admin_kms_key_arn]))

  settings = merge(local.mode_settings, local.provider_settings)

  secret_actions = local.mode_actions

  first_values = {
    for key, secret in var.secrets : key => merge(secret.account, { admin_arn = secret.admin_secret_arn })
    if length(setsubtract(local.account_keys, keys(secret.account))) == 0
  }
}

output "first_values" {
  description = "First values of the secrets by their keys but for the API keys and their ids, which \"make seed\" adds."
  value       = { for key, values in local.first_values : key => { for name, value in values : name => value if value != null } }

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
  value       = ["key_id", "api_key"]
}
