locals {
  engine          = "mongo"
  default_port    = 27017
  engine_settings = {}
}
