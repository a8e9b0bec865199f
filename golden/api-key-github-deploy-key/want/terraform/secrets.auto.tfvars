# What is rotated, each secret with what the provider has to be told. No key belongs here: "make seed" asks for it.

secrets = {
  "keys" = {
    name = "keys"
    account = {
      # repository = "..." # OWNER/NAME
      # read_only  = "false" # for a key that may push
    }
    # admin_secret_arn = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:...-AbCdEf"
  }
}
