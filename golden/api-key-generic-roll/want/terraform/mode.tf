locals {
  mode_settings = {}
  mode_actions  = []
}
