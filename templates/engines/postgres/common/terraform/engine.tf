locals {
  engine              = "postgres"
  default_port        = 5432
  max_password_length = 128
}
