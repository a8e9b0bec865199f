locals {
  engine              = "postgres"
  default_port        = 5432
  max_password_length = 128
  engine_settings     = { PASSWORD_FORM = var.password_form }
}

variable "password_form" {
  description = "How the function sends new passwords: hash, or text for a server that takes no hashes. The server's logs may then hold them."
  type        = string
  default     = "hash"

  validation {
    condition     = contains(["hash", "text"], var.password_form)
    error_message = "Passwords are sent as hash or text."
  }
}
