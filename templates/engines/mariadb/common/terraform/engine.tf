locals {
  engine              = "mariadb"
  default_port        = 3306
  max_password_length = 41
}
