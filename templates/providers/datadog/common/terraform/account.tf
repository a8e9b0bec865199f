variable "datadog_site" {
  description = "The organization's site, as the browser shows it: datadoghq.com, us3.datadoghq.com, datadoghq.eu and so on."
  type        = string
  default     = "datadoghq.com"

  validation {
    condition     = can(regex("^[a-z0-9.-]+[.](com|eu)$", var.datadog_site))
    error_message = "The site is a host without https:// and without app., such as us5.datadoghq.com."
  }
}

locals {
  # Keys of each account in var.secrets, and further settings of the function's environment.
  account_keys      = []
  provider_settings = { API_BASE_URL = "https://api.${var.datadog_site}" }
}
