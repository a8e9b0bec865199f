# The function runs in subnets of yours. From there it must reach the target and, over an interface endpoint with
# private DNS or a NAT gateway, Secrets Manager on port 443. It needs no endpoint for KMS or for its log.

variable "subnet_ids" {
  description = "Subnets of the function, in two availability zones or more."
  type        = list(string)

  validation {
    condition     = length(var.subnet_ids) > 0
    error_message = "The function needs a subnet."
  }
}

variable "security_group_ids" {
  description = "Security groups of the function. They allow out to the target and to Secrets Manager; nothing comes in."
  type        = list(string)

  validation {
    condition     = length(var.security_group_ids) > 0
    error_message = "The function needs a security group."
  }
}

locals {
  vpc_config = [{
    subnet_ids         = var.subnet_ids
    security_group_ids = var.security_group_ids
  }]

  network_interface_actions = [
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
  ]

  # Lambda needs these rights to attach the function to its subnets; EC2 cannot narrow them to one function. The
  # denial takes them from the function's own code.
  vpc_statements = [
    {
      Sid      = "NetworkInterfaces"
      Effect   = "Allow"
      Action   = local.network_interface_actions
      Resource = ["*"]
    },
    {
      Sid      = "NetworkInterfacesByLambdaOnly"
      Effect   = "Deny"
      Action   = local.network_interface_actions
      Resource = ["*"]
      Condition = {
        ArnEquals = {
          "lambda:SourceFunctionArn" = join(":", [
            "arn", data.aws_partition.current.partition, "lambda", data.aws_region.current.region,
            data.aws_caller_identity.current.account_id, "function", var.name,
          ])
        }
      }
    },
  ]
}
