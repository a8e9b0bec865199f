locals {
  engine              = "redshift"
  default_port        = 5439
  max_password_length = 64
  engine_settings     = {}
}
