# Remove this file to use the folder as a module: the caller then configures the provider and the backend.

# The state holds no secret's value. It stays in this folder, out of git, until you say where it belongs:
# terraform {
#   backend "s3" {
#     bucket       = "..."
#     key          = "rotator.tfstate"
#     region       = "..."
#     use_lockfile = true
#   }
# }

provider "aws" {
  region = var.region

  default_tags {
    tags = var.tags
  }
}

variable "region" {
  description = "AWS region, null for that of the environment."
  type        = string
  default     = null
}

variable "tags" {
  description = "Tags of every resource."
  type        = map(string)
  default     = {}
}
