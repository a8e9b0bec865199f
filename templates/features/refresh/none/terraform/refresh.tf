# Applications are not told of a new value.

locals {
  refresh_publishers = []
}
