# The values of one deployment; what is rotated stands in secrets.auto.tfvars. They hold no secret: commit them.

name = "orders-db"

# region = "eu-west-1"

schedule_expression = "rate(30 days)"

# Where the function runs: subnets that reach the database and Secrets Manager.
# subnet_ids         = ["subnet-...", "subnet-..."]
# security_group_ids = ["sg-..."]

# Regions that have a read-only copy of each secret, such as eu-central-1 = {}.
replicas = {
}
