# What is rotated, each secret with its database, the two users that take turns and the administrator that sets their
# passwords. No password belongs here: "make seed" asks for it.

secrets = {
  "orders-db" = {
    # arn                = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:...-AbCdEf"
    # username           = "orders_a"
    # alternate_username = "orders_b"
    # admin_secret_arn   = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:orders-admin-AbCdEf"
  }
}

users = "preprovisioned"
