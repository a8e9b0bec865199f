locals {
  engine          = "mysql"
  default_port    = 3306
  engine_settings = {}
}
