variable "overlap" {
  description = "How long the previous key lives on: until the next-rotation, or not at all, immediate, for a key that is compromised."
  type        = string
  default     = "next-rotation"

  validation {
    condition     = contains(["next-rotation", "immediate"], var.overlap)
    error_message = "The overlap is next-rotation or immediate."
  }
}

locals {
  mode_settings = { OVERLAP = var.overlap }

  # To find the keys of previous versions.
  mode_actions = ["secretsmanager:ListSecretVersionIds"]
}
