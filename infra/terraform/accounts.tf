resource "google_service_account" "function" {
  for_each     = local.functions
  account_id   = "broadcast-${each.key}"
  display_name = "Broadcast Manager: ${each.key}"
}

resource "google_service_account" "push" {
  account_id   = "broadcast-push"
  display_name = "Broadcast Manager: delivers events"
}

resource "google_service_account" "build" {
  account_id   = "broadcast-build"
  display_name = "Broadcast Manager: builds the functions"
}

resource "google_service_account" "deploy" {
  account_id   = "broadcast-deploy"
  display_name = "Broadcast Manager: tests, vendors and deploys"
}

# Firestore knows no rights by collection; the condition keeps to this one database.
resource "google_project_iam_member" "records" {
  for_each = local.functions
  project  = var.project
  role     = "roles/datastore.user"
  member   = google_service_account.function[each.key].member
  condition {
    title      = "this database only"
    expression = "resource.name == \"projects/${var.project}/databases/${var.firestore_database}\""
  }
}

resource "google_pubsub_topic_iam_member" "publisher" {
  for_each = merge([
    for name, function in local.functions : { for topic in function.publishes : "${name}-${topic}" => { function = name, topic = topic } }
  ]...)
  topic  = google_pubsub_topic.events[each.value.topic].name
  role   = "roles/pubsub.publisher"
  member = google_service_account.function[each.value.function].member
}

resource "google_secret_manager_secret_iam_member" "reader" {
  for_each = merge([
    for name, function in local.functions : { for secret in function.secrets : "${name}-${secret}" => { function = name, secret = secret } }
  ]...)
  secret_id = google_secret_manager_secret.secret[each.value.secret].secret_id
  role      = "roles/secretmanager.secretAccessor"
  member    = google_service_account.function[each.value.function].member
}

resource "google_cloud_run_v2_service_iam_member" "push" {
  for_each = local.consumers
  name     = google_cloudfunctions2_function.function[each.key].name
  location = var.region
  role     = "roles/run.invoker"
  member   = google_service_account.push.member
}

# Owners' browsers call these; each request must carry a JWT that the function checks.
resource "google_cloud_run_v2_service_iam_member" "public" {
  for_each = { for name, function in local.functions : name => function if function.public }
  name     = google_cloudfunctions2_function.function[each.key].name
  location = var.region
  role     = "roles/run.invoker"
  member   = "allUsers"
}

resource "google_project_iam_member" "build" {
  for_each = toset(["roles/logging.logWriter", "roles/artifactregistry.writer"])
  project  = var.project
  role     = each.key
  member   = google_service_account.build.member
}

resource "google_storage_bucket_iam_member" "build" {
  bucket = google_storage_bucket.releases.name
  role   = "roles/storage.objectViewer"
  member = google_service_account.build.member
}

# Cloud Functions copies a function's source into a bucket of its own, which is not there before the first function, and builds from it.
resource "google_project_iam_member" "build_sources" {
  project = var.project
  role    = "roles/storage.objectViewer"
  member  = google_service_account.build.member
  condition {
    title      = "sources of functions only"
    expression = "resource.name.startsWith(\"projects/_/buckets/gcf-v2-sources-${data.google_project.this.number}-\")"
  }
}

resource "google_project_iam_member" "deploy" {
  for_each = toset(["roles/logging.logWriter", "roles/cloudfunctions.developer"])
  project  = var.project
  role     = each.key
  member   = google_service_account.deploy.member
}

resource "google_storage_bucket_iam_member" "deploy" {
  bucket = google_storage_bucket.releases.name
  role   = "roles/storage.objectAdmin"
  member = google_service_account.deploy.member
}

resource "google_service_account_iam_member" "deploy_as" {
  for_each           = merge({ for name, account in google_service_account.function : name => account.name }, { build = google_service_account.build.name })
  service_account_id = each.value
  role               = "roles/iam.serviceAccountUser"
  member             = google_service_account.deploy.member
}
