# The values of one deployment. They hold no secret: commit them.

name        = "orders-db"
secret_name = "orders-db"

# region = "eu-west-1"

# Set it to true once "make seed" has stored the first value.
seeded = false

schedule_expression = "rate(30 days)"

# Where the function runs: subnets that reach the database and Secrets Manager.
# subnet_ids         = ["subnet-...", "subnet-..."]
# security_group_ids = ["sg-..."]

# The database, and the user whose credential the secret holds first.
# host     = "orders.abcdefghijkl.eu-west-1.rds.amazonaws.com"
# dbname   = "orders"
# username = "orders_a"

change_as = "admin"

# The administrator that sets the password.
# admin_secret_arn = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:orders-admin-AbCdEf"
