data "google_project" "this" {
  project_id = var.project
}

locals {
  functions = jsondecode(file("${path.module}/functions.json"))
  consumers = { for name, function in local.functions : name => function.consumes if function.consumes != null }
  topics    = { for name, how in local.consumers : how.topic => name }
  prefix    = "broadcast-manager"
  # The account of Pub/Sub itself: it moves events to the dead letters.
  pubsub_agent = "serviceAccount:service-${data.google_project.this.number}@gcp-sa-pubsub.iam.gserviceaccount.com"
}

resource "google_project_service" "api" {
  for_each = toset([
    "artifactregistry", "cloudbuild", "cloudfunctions", "cloudscheduler", "firestore", "logging", "monitoring", "pubsub", "run",
    "secretmanager",
  ])
  service            = "${each.key}.googleapis.com"
  disable_on_destroy = false
}
