# Replicas are read-only copies in other regions. The function never speaks to those: Secrets Manager copies each new
# value with the rights of the caller that put it, which is this function, and the function waits until it has.

variable "replicas" {
  description = "Regions that have a replica of each secret, with the customer managed key that encrypts it there; null is the key aws/secretsmanager, or a key made here if the secrets have one."
  type = map(object({
    kms_key_arn = optional(string)
  }))
  default = {}

  validation {
    condition     = alltrue([for region in keys(var.replicas) : can(regex("^[a-z]{2,4}(-[a-z]+)+-[0-9]{1,2}$", region))])
    error_message = "Replicas are named by their regions, such as eu-central-1."
  }

  validation {
    condition = alltrue([
      for region, replica in var.replicas :
      replica.kms_key_arn == null || can(regex("^arn:[^:]+:kms:${region}:[0-9]{12}:key/.+$", replica.kms_key_arn))
    ])
    error_message = "A replica's key is given by the ARN of a key in the replica's own region; an alias is none."
  }
}

variable "consumer_endpoints" {
  description = "Interface endpoints of Secrets Manager to make for the applications in replica regions, by region. The security groups let them in on port 443."
  type = map(object({
    vpc_id             = string
    subnet_ids         = list(string)
    security_group_ids = list(string)
  }))
  default = {}
}

locals {
  replica_kms_key_arns = {
    for region, replica in var.replicas :
    region => try(local.new_replica_kms_key_arns[region], replica.kms_key_arn)
  }

  # An interface endpoint with private DNS serves its whole VPC, so it asks for this account's credentials and no more.
  endpoint_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "ThisAccount"
      Effect    = "Allow"
      Principal = "*"
      Action    = "secretsmanager:*"
      Resource  = "*"
      Condition = { StringEquals = { "aws:PrincipalAccount" = local.account_id } }
    }]
  })
}

resource "aws_vpc_endpoint" "consumers" {
  for_each = var.consumer_endpoints

  region              = each.key
  vpc_id              = each.value.vpc_id
  subnet_ids          = each.value.subnet_ids
  security_group_ids  = each.value.security_group_ids
  service_name        = "com.amazonaws.${each.key}.secretsmanager"
  vpc_endpoint_type   = "Interface"
  private_dns_enabled = true
  policy              = local.endpoint_policy

  lifecycle {
    precondition {
      condition     = contains(keys(var.replicas), each.key)
      error_message = "There is no replica in ${each.key}, so applications have nothing to read there."
    }
  }
}

output "replica_regions" {
  description = "Regions that have a replica."
  value       = keys(var.replicas)

  precondition {
    condition     = !contains(keys(var.replicas), local.region)
    error_message = "The region of the secret itself, ${local.region}, can have no replica of it."
  }
}
