locals {
  mode_settings = {}
}
