locals {
  engine       = "mysql"
  default_port = 3306
}
