variable "user_name" {
  description = "Name of the IAM user, in this account, whose access keys are rotated. All its access keys belong to this one rotation."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9_+=,.@-]{1,64}$", var.user_name))
    error_message = "The name of an IAM user has up to 64 letters, digits and _+=,.@-, and no path."
  }
}

variable "user_path" {
  description = "Path of the IAM user."
  type        = string
  default     = "/"

  validation {
    condition     = can(regex("^/(.*/)?$", var.user_path))
    error_message = "A path begins and ends with a slash."
  }
}

# What the first value of the secret says of the account, and what else the function's environment has.
locals {
  account           = { user_name = var.user_name }
  provider_settings = {}
}

# The function's own role is what makes and ends access keys, of this user and no other. Nobody needs a right to ask
# who they are.
resource "aws_iam_role_policy" "access_keys" {
  name = "access-keys"
  role = aws_iam_role.this.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid    = "AccessKeys"
      Effect = "Allow"
      Action = [
        "iam:CreateAccessKey",
        "iam:DeleteAccessKey",
        "iam:ListAccessKeys",
        "iam:UpdateAccessKey",
      ]
      Resource = ["arn:${split(":", aws_secretsmanager_secret.this.arn)[1]}:iam::${data.aws_caller_identity.current.account_id}:user${var.user_path}${var.user_name}"]
    }]
  })
}
