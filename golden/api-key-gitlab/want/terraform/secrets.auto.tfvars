# What is rotated, each secret with what the provider has to be told. No key belongs here: "make seed" asks for it.

secrets = {
  "keys" = {
    name = "keys"
    account = {
      # owner = "..." # groups/ID/service_accounts/ID, groups/ID, projects/ID or users/ID
    }
    # admin_secret_arn = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:...-AbCdEf"
  }
}
