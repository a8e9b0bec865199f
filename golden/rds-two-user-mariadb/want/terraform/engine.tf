locals {
  engine       = "mariadb"
  default_port = 3306
}
