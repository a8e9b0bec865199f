# What the tests deploy, to nowhere. They take no value of ../terraform.tfvars that is not overridden here or there.

name               = "orders-db"
subnet_ids         = ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"]
security_group_ids = ["sg-0123456789abcdef0"]
kms_key_arn        = "arn:aws:kms:eu-west-1:111122223333:key/11111111-2222-3333-4444-555555555555"
overdue_after_days = 32
trail              = "existing"
