# What the tests deploy, to nowhere. They take no value of ../terraform.tfvars that is not overridden here or there.

name               = "keys"
overdue_after_days = 32
trail              = "existing"
