variable "reads" {
  description = "Paths of Stripe's API that a new key must be able to read if the present one is. Each is read with limit=1."
  type        = list(string)
  default = [
    "/v1/balance",
    "/v1/charges",
    "/v1/customers",
    "/v1/events",
    "/v1/invoices",
    "/v1/payment_intents",
    "/v1/products",
    "/v1/subscriptions",
  ]

  validation {
    condition     = alltrue([for path in var.reads : can(regex("^/[^,?#]+$", path))])
    error_message = "A path begins with / and has no comma, query or fragment."
  }
}

variable "api_base_url" {
  description = "URL of the API, null for https://api.stripe.com."
  type        = string
  default     = null

  validation {
    condition     = var.api_base_url == null || can(regex("^https://", var.api_base_url))
    error_message = "The URL begins with https://: a key would cross the network in the clear."
  }
}

locals {
  # Keys of each account in var.secrets, and further settings of the function's environment.
  account_keys      = []
  provider_settings = { for name, value in { READS = join(",", var.reads), API_BASE_URL = var.api_base_url } : name => value if value != null }
}
