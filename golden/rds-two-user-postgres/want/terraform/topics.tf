# One key for the topics of alerts and refresh, where there are any. SNS's own key would not do: it does not let
# EventBridge and CloudWatch publish. Nor can the key's policy name the rules, since EventBridge does not say to KMS on
# whose behalf it asks. The topics' own policies do.
# https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html#compatibility-with-aws-services

locals {
  topic_publishers = distinct(concat(local.alert_publishers, local.refresh_publishers))

  # What rules are named after, by the secrets' keys: a rule's name has 64 characters, of which some are left for what
  # it does.
  rule_names = {
    for key, name in { for key in keys(local.secret_arns) : key => "${var.name}-${key}" } :
    key => length(name) <= 56 ? name : "${substr(name, 0, 47)}-${substr(sha256(key), 0, 8)}"
  }
}

resource "aws_kms_key" "topics" {
  count = length(local.topic_publishers) > 0 ? 1 : 0

  description         = "Topics of ${var.name}."
  enable_key_rotation = true

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "Administer"
        Effect    = "Allow"
        Principal = { AWS = "arn:${local.partition}:iam::${local.account_id}:root" }
        Action    = "kms:*"
        Resource  = "*" # of a key's policy: the key
      },
      {
        Sid       = "Publish"
        Effect    = "Allow"
        Principal = { Service = local.topic_publishers }
        Action    = ["kms:Decrypt", "kms:GenerateDataKey*"]
        Resource  = "*"
      },
    ]
  })
}

resource "aws_kms_alias" "topics" {
  count = length(aws_kms_key.topics)

  name          = "alias/${var.name}-topics"
  target_key_id = aws_kms_key.topics[0].key_id
}
