# No one is told of a failed rotation: something else has to watch.

locals {
  alert_publishers = []
  alert_topic_arns = []
}
