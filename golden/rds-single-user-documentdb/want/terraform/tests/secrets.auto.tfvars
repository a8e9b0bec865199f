# Two secrets, with the least that each must say.

secrets = {
  first = {
    host     = "first.example.com"
    dbname   = "orders"
    username = "orders_a"
  }
  last = {
    host              = "last.example.com"
    dbname            = "orders"
    username          = "orders_a"
    admin_secret_arn  = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:admin-AbCdEf"
    admin_kms_key_arn = "arn:aws:kms:eu-west-1:111122223333:key/11111111-2222-3333-4444-555555555555"
  }
}

change_as = "self"
