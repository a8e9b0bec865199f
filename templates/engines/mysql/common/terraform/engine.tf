locals {
  engine              = "mysql"
  default_port        = 3306
  max_password_length = 41
  engine_settings     = {}
}
