# What is rotated, each secret with what the provider has to be told. No key belongs here: "make seed" asks for it.

secrets = {
  "keys" = {
    name = "keys"
    account = {
      # project_id         = "proj_..."
      # service_account_id = "svc_acct_..."
    }
    # admin_secret_arn = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:...-AbCdEf"
  }
}
