# Events of failed rotations reach EventBridge only where a CloudTrail trail records management events of this region.
# Terraform has no way to look for one.
# https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-service-event-cloudtrail.html

variable "trail" {
  description = "The region's CloudTrail trail: existing, create (one is made here), or unknown, which warns at every plan. \"make trails\" lists those that there are."
  type        = string
  default     = "unknown"

  validation {
    condition     = contains(["existing", "create", "unknown"], var.trail)
    error_message = "The trail is existing, create or unknown."
  }
}

check "trail" {
  assert {
    condition     = var.trail != "unknown"
    error_message = "Without a CloudTrail trail that records management events, no failed rotation is told: only the alarms remain. Run \"make trails\", then set trail to existing or create."
  }
}

locals {
  trails = var.trail == "create" ? 1 : 0

  trail_arn = "arn:${local.partition}:cloudtrail:${local.region}:${local.account_id}:trail/${var.name}"
}

# It is here for its events: one region, and what changes something. Its files are a by-product, encrypted with S3's own
# key. Keep what has to serve as evidence in a trail of the organization.
#tfsec:ignore:aws-cloudtrail-enable-all-regions
#tfsec:ignore:aws-cloudtrail-enable-at-rest-encryption
resource "aws_cloudtrail" "this" {
  count = local.trails

  name                          = var.name
  s3_bucket_name                = aws_s3_bucket.trail[0].id
  enable_log_file_validation    = true
  include_global_service_events = false

  event_selector {
    read_write_type           = "WriteOnly"
    include_management_events = true
  }

  depends_on = [aws_s3_bucket_policy.trail]
}

# S3 encrypts every new bucket by itself. No one reads the files, so that nothing is gained by a log of who does, by their
# previous versions, or by a key of their own; a file that was changed shows by its digest.
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/default-bucket-encryption.html
#tfsec:ignore:aws-s3-enable-bucket-encryption
#tfsec:ignore:aws-s3-enable-bucket-logging
#tfsec:ignore:aws-s3-enable-versioning
#tfsec:ignore:aws-s3-encryption-customer-key
resource "aws_s3_bucket" "trail" {
  count = local.trails

  bucket_prefix = "${substr(var.name, 0, 24)}-trail-"
  force_destroy = true # its files are a by-product
}

resource "aws_s3_bucket_lifecycle_configuration" "trail" {
  count = local.trails

  bucket = aws_s3_bucket.trail[0].id

  rule {
    id     = "expire"
    status = "Enabled"

    filter {}

    expiration {
      days = 7
    }
  }
}

resource "aws_s3_bucket_public_access_block" "trail" {
  count = local.trails

  bucket                  = aws_s3_bucket.trail[0].id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

# https://docs.aws.amazon.com/awscloudtrail/latest/userguide/create-s3-bucket-policy-for-cloudtrail.html
resource "aws_s3_bucket_policy" "trail" {
  count = local.trails

  bucket = aws_s3_bucket.trail[0].id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "Look"
        Effect    = "Allow"
        Principal = { Service = "cloudtrail.amazonaws.com" }
        Action    = "s3:GetBucketAcl"
        Resource  = aws_s3_bucket.trail[0].arn
        Condition = { StringEquals = { "aws:SourceArn" = local.trail_arn } }
      },
      {
        Sid       = "Write"
        Effect    = "Allow"
        Principal = { Service = "cloudtrail.amazonaws.com" }
        Action    = "s3:PutObject"
        Resource  = "${aws_s3_bucket.trail[0].arn}/AWSLogs/${local.account_id}/*"
        Condition = {
          StringEquals = {
            "aws:SourceArn" = local.trail_arn
            "s3:x-amz-acl"  = "bucket-owner-full-control"
          }
        }
      },
      {
        Sid       = "EncryptedTransport"
        Effect    = "Deny"
        Principal = "*"
        Action    = "s3:*"
        Resource  = [aws_s3_bucket.trail[0].arn, "${aws_s3_bucket.trail[0].arn}/*"]
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
    ]
  })
}
