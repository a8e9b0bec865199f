locals {
  engine              = "mongo"
  default_port        = 27017
  max_password_length = 100
  engine_settings     = {}
}
