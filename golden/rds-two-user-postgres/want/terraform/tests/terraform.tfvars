# The deployment that the tests plan, for no account. They take no value of ../terraform.tfvars that is not overridden here or there.

name               = "orders-db"
subnet_ids         = ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"]
security_group_ids = ["sg-0123456789abcdef0"]
overdue_after_days = 32
trail              = "existing"
