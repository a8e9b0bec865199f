# AWS encrypts what is made here with its own keys, which cost nothing and need no rights.

locals {
  kms_key_arn              = null
  log_kms_key_arn          = null
  topic_kms_key_arn        = null
  new_replica_kms_key_arns = {}
}
