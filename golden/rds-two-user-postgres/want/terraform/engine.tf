locals {
  engine       = "postgres"
  default_port = 5432
}
