# The function runs outside any VPC: it reaches what the internet reaches.

locals {
  vpc_config       = []
  vpc_statements   = []
  network_settings = {}
}
