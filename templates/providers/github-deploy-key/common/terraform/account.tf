variable "github_api_url" {
  description = "Where GitHub's REST API is; https://HOST/api/v3 for a GitHub Enterprise Server."
  type        = string
  default     = "https://api.github.com"

  validation {
    condition     = can(regex("^https://", var.github_api_url))
    error_message = "The URL begins with https://: a token would cross the network in the clear."
  }
}

variable "github_ssh_address" {
  description = "Host and port of GitHub's SSH server, at which a deploy key is proven; ssh.github.com:443 where port 22 is closed."
  type        = string
  default     = "github.com:22"
}

variable "github_ssh_host_key" {
  description = "That server's key, as a line of known_hosts has it after the host; null for github.com's."
  type        = string
  default     = null
}

locals {
  # Keys of each account in var.secrets, and further settings of the function's environment.
  account_keys = ["repository"]
  provider_settings = merge(
    { API_BASE_URL = var.github_api_url, SSH_ADDRESS = var.github_ssh_address },
    { for name, value in { SSH_HOST_KEY = var.github_ssh_host_key } : name => value if value != null },
  )
}
