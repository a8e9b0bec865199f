# The secrets to rotate, each with its database, the two users that take turns and the administrator that sets their
# passwords. No password belongs here: "make seed" asks for it.

secrets = {
  "orders-db" = {
    name = "orders-db"
    # host               = "orders.abcdefghijkl.eu-west-1.rds.amazonaws.com"
    # dbname             = "orders"
    # username           = "orders_a"
    # alternate_username = "orders_b"
    # admin_secret_arn   = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:orders-admin-AbCdEf"
  }
}

users = "preprovisioned"
