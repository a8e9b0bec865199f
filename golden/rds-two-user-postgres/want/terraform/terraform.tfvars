# The values of one deployment; what is rotated stands in secrets.auto.tfvars. They hold no secret: commit them.

name = "orders-db"

# region = "eu-west-1"

schedule_expression = "rate(30 days)"

# The age of the last rotation that is an alarm: the longest time between two of this schedule, and two days for retries.
overdue_after_days = 32

# The people to tell when a rotation fails, and the address of RUNBOOK.md.
# alert_emails = ["on-call@example.com"]
# runbook_url  = "https://github.com/example/rotator/blob/main/RUNBOOK.md"

# Alerts on failed rotations need a CloudTrail trail that records management events. After the first apply "make trails" lists those of the region.
# Say "existing" if one of them does, or "create" to make one.
trail = "unknown"

# Where the function runs: subnets that reach the database and Secrets Manager.
# subnet_ids = ["subnet-...", "subnet-..."]

# The database's security group, which gets a rule that lets the function in.
# database_security_group_id = "sg-..."

# Regions that have a read-only copy of each secret, such as eu-central-1 = {}.
replicas = {
}
