locals {
  # Keys of each account in var.secrets, and further settings of the function's environment.
  account_keys      = ["user_name"]
  provider_settings = {}

  access_key_policy = jsonencode({
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
      Resource = [
        for secret in values(var.secrets) :
        "arn:${local.partition}:iam::${local.account_id}:user${lookup(secret.account, "user_path", "/")}${lookup(secret.account, "user_name", "")}"
      ]
    }]
  })
}

# The function's own role makes and ends access keys, of these users and no other. No one needs a right to ask who they
# are.
resource "aws_iam_role_policy" "access_keys" {
  name   = "access-keys"
  role   = aws_iam_role.this.id
  policy = local.access_key_policy

  lifecycle {
    precondition {
      condition     = alltrue([for secret in values(var.secrets) : can(regex("^[A-Za-z0-9_+=,.@-]{1,64}$", secret.account.user_name))])
      error_message = "The account of each secret has a user_name, the name of an IAM user without its path."
    }

    precondition {
      condition     = alltrue([for secret in values(var.secrets) : can(regex("^/([^*?]+/)?$", lookup(secret.account, "user_path", "/")))])
      error_message = "A user_path begins and ends with a slash."
    }

    # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
    precondition {
      condition     = length("${local.role_policy}${local.access_key_policy}") <= 10240
      error_message = "The rights of the function exceed 10240 characters, the most that IAM takes in a role: deploy some of the secrets with a function of their own."
    }
  }
}
