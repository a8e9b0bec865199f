# The function runs in subnets of yours. From there it must reach the database and, on port 443, Secrets Manager: over a NAT
# gateway, over IPv6, or over an interface endpoint with private DNS. It calls nothing else: KMS is called by Secrets
# Manager, and logs are collected by Lambda.

variable "subnet_ids" {
  description = "Subnets of the function, in two availability zones or more."
  type        = list(string)

  validation {
    condition     = length(var.subnet_ids) > 0
    error_message = "The function needs a subnet."
  }
}

variable "security_group_ids" {
  description = "Security groups of the function, none for one that is made here. They allow out to the database and to Secrets Manager; nothing comes in."
  type        = list(string)
  default     = []
}

variable "database_security_group_id" {
  description = "Security group of the database, which gets a rule that lets the function in. Null where security_group_ids are let in already."
  type        = string
  default     = null
}

variable "interface_endpoint" {
  description = "Whether to make an interface endpoint of Secrets Manager in the subnets. Leave it false where the VPC has one, or a NAT gateway: a VPC takes one endpoint with private DNS."
  type        = bool
  default     = false
}

variable "ipv6" {
  description = "Whether the function has IPv6 addresses too, which dual-stack subnets give. Without an interface endpoint it then reaches Secrets Manager over IPv6, so that an egress-only internet gateway takes the place of NAT."
  type        = bool
  default     = false
}

data "aws_subnet" "first" {
  id = var.subnet_ids[0]
}

locals {
  vpc_id = data.aws_subnet.first.vpc_id
  vpc_config = [{
    subnet_ids         = var.subnet_ids
    security_group_ids = local.security_group_ids
    ipv6               = var.ipv6
  }]

  own_security_group = length(var.security_group_ids) == 0
  security_group_ids = local.own_security_group ? aws_security_group.function[*].id : var.security_group_ids
  database_ports     = var.database_security_group_id == null ? [] : distinct([for secret in values(var.secrets) : tostring(coalesce(secret.port, local.default_port))])

  network_settings = var.ipv6 && !var.interface_endpoint ? { AWS_USE_DUALSTACK_ENDPOINT = "true" } : {}

  # Lambda attaches the function to its subnets with these rights. Describing cannot be narrowed, and what Lambda removes
  # it finds by the account. EC2 asks for the interface, the subnet and the security groups of a new one by itself, and
  # only the latter two tell their VPC. The denial takes all of it from the function's own code.
  # https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html
  # https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonec2.html
  ec2_arn             = "arn:${local.partition}:ec2:${local.region}:${local.account_id}"
  describe_interfaces = ["ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets"]
  create_interfaces   = ["ec2:CreateNetworkInterface"]
  change_interfaces   = ["ec2:AssignPrivateIpAddresses", "ec2:DeleteNetworkInterface", "ec2:UnassignPrivateIpAddresses"]

  vpc_statements = [
    {
      Sid      = "DescribeNetworkInterfaces"
      Effect   = "Allow"
      Action   = local.describe_interfaces
      Resource = ["*"]
    },
    {
      Sid      = "CreateNetworkInterfaces"
      Effect   = "Allow"
      Action   = local.create_interfaces
      Resource = ["${local.ec2_arn}:network-interface/*"]
    },
    {
      Sid       = "CreateThemInTheVPC"
      Effect    = "Allow"
      Action    = local.create_interfaces
      Resource  = ["${local.ec2_arn}:security-group/*", "${local.ec2_arn}:subnet/*"]
      Condition = { ArnEquals = { "ec2:Vpc" = "${local.ec2_arn}:vpc/${local.vpc_id}" } }
    },
    {
      Sid      = "ChangeNetworkInterfaces"
      Effect   = "Allow"
      Action   = local.change_interfaces
      Resource = ["${local.ec2_arn}:*/*"]
    },
    {
      Sid      = "NetworkInterfacesByLambdaOnly"
      Effect   = "Deny"
      Action   = concat(local.change_interfaces, local.create_interfaces, local.describe_interfaces)
      Resource = ["*"]
      Condition = {
        ArnEquals = {
          "lambda:SourceFunctionArn" = "arn:${local.partition}:lambda:${local.region}:${local.account_id}:function:${var.name}"
        }
      }
    },
  ]
}

resource "aws_security_group" "function" {
  count = local.own_security_group ? 1 : 0

  name        = "${var.name}-function"
  description = "The function ${var.name}; nothing comes in."
  vpc_id      = local.vpc_id

  lifecycle {
    precondition {
      condition     = var.database_security_group_id != null
      error_message = "The function cannot reach the database yet: set database_security_group_id, or security_group_ids that the database lets in."
    }
  }
}

# Secrets Manager has no addresses that a rule could name.
resource "aws_vpc_security_group_egress_rule" "https" {
  for_each = { for key, cidr in { ipv4 = "0.0.0.0/0", ipv6 = "::/0" } : key => cidr if local.own_security_group && (key == "ipv4" || var.ipv6) }

  security_group_id = one(aws_security_group.function[*].id)
  description       = "HTTPS to Secrets Manager"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  cidr_ipv4         = each.key == "ipv4" ? each.value : null
  cidr_ipv6         = each.key == "ipv6" ? each.value : null
}

resource "aws_vpc_security_group_egress_rule" "database" {
  for_each = toset(local.own_security_group ? local.database_ports : [])

  security_group_id            = one(aws_security_group.function[*].id)
  referenced_security_group_id = var.database_security_group_id
  description                  = "To the database"
  ip_protocol                  = "tcp"
  from_port                    = each.value
  to_port                      = each.value
}

resource "aws_vpc_security_group_ingress_rule" "database" {
  for_each = toset(local.database_ports)

  security_group_id            = var.database_security_group_id
  referenced_security_group_id = local.security_group_ids[0]
  description                  = "The function ${var.name}, which rotates passwords"
  ip_protocol                  = "tcp"
  from_port                    = each.value
  to_port                      = each.value
}

resource "aws_vpc_endpoint" "secrets_manager" {
  count = var.interface_endpoint ? 1 : 0

  vpc_id              = local.vpc_id
  subnet_ids          = var.subnet_ids
  security_group_ids  = aws_security_group.endpoint[*].id
  service_name        = "com.amazonaws.${local.region}.secretsmanager"
  vpc_endpoint_type   = "Interface"
  private_dns_enabled = true
  policy              = local.endpoint_policy
}

resource "aws_security_group" "endpoint" {
  count = var.interface_endpoint ? 1 : 0

  name        = "${var.name}-secrets-manager"
  description = "Lets the function ${var.name} in to Secrets Manager."
  vpc_id      = local.vpc_id
}

resource "aws_vpc_security_group_ingress_rule" "endpoint" {
  count = var.interface_endpoint ? length(local.security_group_ids) : 0

  security_group_id            = one(aws_security_group.endpoint[*].id)
  referenced_security_group_id = local.security_group_ids[count.index]
  description                  = "HTTPS from the function ${var.name}."
  ip_protocol                  = "tcp"
  from_port                    = 443
  to_port                      = 443
}
