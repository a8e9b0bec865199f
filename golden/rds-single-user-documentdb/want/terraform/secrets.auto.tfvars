# What is rotated, each secret with its database.
# No password belongs here: "make seed" asks for it.

secrets = {
  "orders-db" = {
    name = "orders-db"
    # host     = "orders.abcdefghijkl.eu-west-1.rds.amazonaws.com"
    # dbname   = "orders"
    # username = "orders_a"
  }
}

change_as = "self"
