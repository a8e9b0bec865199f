# Two secrets, with the least that each must say.

secrets = {
  first = {
    account          = { project_id = "proj_abc", service_account_id = "svc_acct_abc" }
    admin_secret_arn = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:admin-AbCdEf"
  }
  last = {
    account           = { project_id = "proj_abc", service_account_id = "svc_acct_abc" }
    admin_secret_arn  = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:admin-AbCdEf"
    admin_kms_key_arn = "arn:aws:kms:eu-west-1:111122223333:key/11111111-2222-3333-4444-555555555555"
  }
}
