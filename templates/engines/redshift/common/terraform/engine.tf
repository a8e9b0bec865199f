locals {
  engine          = "redshift"
  default_port    = 5439
  engine_settings = {}
}
