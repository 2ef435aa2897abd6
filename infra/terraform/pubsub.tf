resource "google_pubsub_topic" "events" {
  #checkov:skip=CKV_GCP_83:Events hold ids alone; Google's own keys are enough for them.
  for_each   = local.topics
  name       = "${local.prefix}-${each.key}"
  depends_on = [google_project_service.api]
}

resource "google_pubsub_topic" "dead" {
  #checkov:skip=CKV_GCP_83:Events hold ids alone; Google's own keys are enough for them.
  for_each   = local.topics
  name       = "${local.prefix}-${each.key}-dead"
  depends_on = [google_project_service.api]
}

resource "google_pubsub_subscription" "push" {
  for_each                   = local.consumers
  name                       = "${local.prefix}-${each.value.topic}"
  topic                      = google_pubsub_topic.events[each.value.topic].id
  ack_deadline_seconds       = each.value.ack_deadline_seconds
  message_retention_duration = "${each.value.message_retention_seconds}s"
  expiration_policy {
    ttl = ""
  }
  retry_policy {
    minimum_backoff = "${each.value.minimum_backoff_seconds}s"
    maximum_backoff = "${each.value.maximum_backoff_seconds}s"
  }
  dead_letter_policy {
    dead_letter_topic     = google_pubsub_topic.dead[each.value.topic].id
    max_delivery_attempts = each.value.max_delivery_attempts
  }
  push_config {
    # Pub/Sub reaches a function that is not public only under its run.app address, which is also the audience of its token.
    push_endpoint = google_cloudfunctions2_function.function[each.key].service_config[0].uri
    oidc_token {
      service_account_email = google_service_account.push.email
      audience              = google_cloudfunctions2_function.function[each.key].service_config[0].uri
    }
  }
  depends_on = [google_cloud_run_v2_service_iam_member.push]
}

# A dead-letter topic without a subscription would lose what it is given.
resource "google_pubsub_subscription" "dead" {
  for_each                   = local.topics
  name                       = "${local.prefix}-${each.key}-dead"
  topic                      = google_pubsub_topic.dead[each.key].id
  message_retention_duration = "604800s"
  expiration_policy {
    ttl = ""
  }
}

resource "google_pubsub_topic_iam_member" "dead_letters_in" {
  for_each = local.topics
  topic    = google_pubsub_topic.dead[each.key].name
  role     = "roles/pubsub.publisher"
  member   = local.pubsub_agent
}

resource "google_pubsub_subscription_iam_member" "dead_letters_out" {
  for_each     = local.topics
  subscription = google_pubsub_subscription.push[each.value].name
  role         = "roles/pubsub.subscriber"
  member       = local.pubsub_agent
}

resource "google_cloud_scheduler_job" "tick" {
  name        = "${local.prefix}-tick"
  description = "Looks for what is due; a tick that is lost is made good by the next."
  schedule    = var.tick_schedule
  time_zone   = "Etc/UTC"
  region      = var.region
  pubsub_target {
    topic_name = google_pubsub_topic.events["ticks"].id
    data       = base64encode("{}")
  }
  depends_on = [google_project_service.api]
}
