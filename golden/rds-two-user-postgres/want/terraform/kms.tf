# AWS encrypts what is made here with a key that is made for it, replicas in each region with one of their own.

variable "kms_deletion_window_in_days" {
  description = "Days for which a deleted key can be restored. After them, what it encrypted is lost."
  type        = number
  default     = 30
}

locals {
  kms_key_arn              = aws_kms_key.this.arn
  log_kms_key_arn          = aws_kms_key.this.arn
  topic_kms_key_arn        = aws_kms_key.this.arn
  new_replica_kms_key_arns = { for region, key in aws_kms_key.replica : region => key.arn }

  # IAM policies decide who may use the keys, as they do for the secrets. The function's own is bound to Secrets Manager
  # and to its secrets, and so should be those of the applications.
  key_account_statement = {
    Sid       = "Account"
    Effect    = "Allow"
    Principal = { AWS = "arn:${local.partition}:iam::${local.account_id}:root" }
    Action    = "kms:*"
    Resource  = "*"
  }

  # A reader of another account is not this account's to decide on. The ARNs are not known yet: they need the key.
  key_reader_statements = [for arns in [local.reader_arns] : {
    Sid       = "Readers"
    Effect    = "Allow"
    Principal = { AWS = arns }
    Action    = "kms:Decrypt"
    Resource  = "*"
    Condition = {
      StringEquals = { "kms:ViaService" = values(local.on_behalf) }
      StringLike = {
        "kms:EncryptionContext:SecretARN" = [
          for name in values(local.secret_names) : "arn:${local.partition}:secretsmanager:*:${local.account_id}:secret:${name}-??????"
        ]
      }
    }
  } if length(arns) > 0]

  # As on https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html but for kms:Describe*, which
  # has no encryption context and so is never allowed there.
  key_log_statement = {
    Sid       = "Log"
    Effect    = "Allow"
    Principal = { Service = "logs.${local.region}.${data.aws_partition.current.dns_suffix}" }
    Action    = ["kms:Decrypt*", "kms:Encrypt*", "kms:GenerateDataKey*", "kms:ReEncrypt*"]
    Resource  = "*"
    Condition = {
      ArnEquals = {
        "kms:EncryptionContext:aws:logs:arn" = "arn:${local.partition}:logs:${local.region}:${local.account_id}:log-group:/aws/lambda/${var.name}"
      }
    }
  }
}

locals {
  topic_publishers = distinct(concat(local.alert_publishers, local.refresh_publishers))

  # Rules and alarms publish to encrypted topics with the rights of their services. EventBridge does not say to KMS for
  # which rule it asks, so the key is bound to the topics, whose own policies name the rules.
  # https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html#compatibility-with-aws-services
  key_topic_statements = [for services in [local.topic_publishers] : {
    Sid       = "Topics"
    Effect    = "Allow"
    Principal = { Service = services }
    Action    = ["kms:Decrypt", "kms:GenerateDataKey*"]
    Resource  = "*"
    Condition = {
      StringEquals = {
        "kms:EncryptionContext:aws:sns:topicArn" = [
          for topic in ["alerts", "refresh"] : "arn:${local.partition}:sns:${local.region}:${local.account_id}:${var.name}-${topic}"
        ]
      }
    }
  } if length(services) > 0]
}

resource "aws_kms_key" "this" {
  description             = "Encrypts the secrets, the log and the topics of ${var.name}"
  enable_key_rotation     = true
  deletion_window_in_days = var.kms_deletion_window_in_days

  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = concat([local.key_account_statement, local.key_log_statement], local.key_reader_statements, local.key_topic_statements)
  })
}

resource "aws_kms_alias" "this" {
  name          = "alias/${var.name}"
  target_key_id = aws_kms_key.this.key_id
}

resource "aws_kms_key" "replica" {
  for_each = { for region, replica in local.new_replicas : region => replica if replica.kms_key_arn == null }

  region                  = each.key
  description             = "Encrypts the replicas of the secrets of ${var.name}"
  enable_key_rotation     = true
  deletion_window_in_days = var.kms_deletion_window_in_days

  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = concat([local.key_account_statement], local.key_reader_statements)
  })
}

resource "aws_kms_alias" "replica" {
  for_each = aws_kms_key.replica

  region        = each.key
  name          = "alias/${var.name}"
  target_key_id = each.value.key_id
}

output "kms_key_arn" {
  description = "ARN of the key."
  value       = local.kms_key_arn
}
