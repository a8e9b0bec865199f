# What is rotated, each secret with its database and the administrator that sets the password.
# No password belongs here: "make seed" asks for it.

secrets = {
  "orders-db" = {
    name = "prod/orders"
    # host     = "orders.abcdefghijkl.eu-west-1.rds.amazonaws.com"
    # dbname   = "orders"
    # username = "orders_a"
    # admin_secret_arn = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:orders-admin-AbCdEf"
  }
}

change_as = "admin"
