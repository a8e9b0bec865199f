variable "reads" {
  description = "Paths of GitHub's API that a new token must be able to read if the present one is, such as /repos/OWNER/REPO/contents/README.md."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for path in var.reads : can(regex("^/[^,?#]+$", path))])
    error_message = "A path begins with / and has no comma, query or fragment."
  }
}

variable "api_base_url" {
  description = "URL of the API, null for https://api.github.com. With data residency it is https://api.SUBDOMAIN.ghe.com."
  type        = string
  default     = null

  validation {
    condition     = var.api_base_url == null || can(regex("^https://", var.api_base_url))
    error_message = "The URL begins with https://: a token would cross the network in the clear."
  }
}

locals {
  # Keys of each account in var.secrets, and further settings of the function's environment.
  account_keys      = []
  provider_settings = { for name, value in { READS = join(",", var.reads), API_BASE_URL = var.api_base_url } : name => value if value != null }
}
