locals {
  # Each setting's value; a function is given those that functions.json names for it, and these three.
  values = {
    TELEGRAM_RATE             = tostring(var.telegram_rate)
    PAID_BROADCAST            = tostring(var.paid_broadcast)
    BROADCAST_AUTO_INTERVAL   = tostring(var.broadcast_auto_interval_hours)
    BROADCAST_MANUAL_INTERVAL = tostring(var.broadcast_manual_interval_hours)
    BOT_USERNAME              = var.bot_username
    TELEGRAM_API_URL          = var.telegram_api_url
    JWT_AUDIENCE              = var.jwt_audience
    JWT_ISSUER                = var.jwt_issuer
    CORS_ORIGINS              = join(",", var.cors_origins)
    OPERATORS                 = join(",", var.operators)
  }
  everywhere = {
    GOOGLE_CLOUD_PROJECT = var.project
    FIRESTORE_DATABASE   = var.firestore_database
    LOG_LEVEL            = var.log_level
  }
  secrets = toset(flatten([for function in local.functions : function.secrets]))
  # One folder a secret: Cloud Run mounts no two in one.
  mounted = {
    for name, function in local.functions : name => {
      for secret in function.secrets : secret => "/secrets/${lower(replace(secret, "_", "-"))}"
      if secret != "JWT_SECRET_KEY_PREVIOUS" || var.rotating_jwt_secret
    }
  }
}

resource "google_storage_bucket" "releases" {
  #checkov:skip=CKV_GCP_62:Nobody but Cloud Build reads or writes here.
  name                        = "${var.project}-${local.prefix}-releases"
  location                    = var.region
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  versioning {
    enabled = true
  }
  lifecycle_rule {
    condition {
      age                = 365
      num_newer_versions = 1
    }
    action {
      type = "Delete"
    }
  }
}

resource "google_cloudfunctions2_function" "function" {
  #checkov:skip=CKV_GCP_124:Only functions that owners call admit anybody; they ask for a JWT.
  for_each    = local.functions
  name        = "${local.prefix}-${each.key}"
  location    = var.region
  description = each.value.why

  build_config {
    runtime         = var.python
    entry_point     = each.key
    service_account = google_service_account.build.id
    source {
      storage_source {
        bucket = google_storage_bucket.releases.name
        object = "${var.release}/${each.key}.zip"
      }
    }
  }

  service_config {
    available_cpu                    = each.value.cpu
    available_memory                 = each.value.memory
    timeout_seconds                  = each.value.timeout_seconds
    max_instance_request_concurrency = each.value.concurrency
    min_instance_count               = each.value.public ? var.instances_kept_for_owners : 0
    max_instance_count               = each.value.instances
    ingress_settings                 = each.value.public ? "ALLOW_ALL" : "ALLOW_INTERNAL_ONLY"
    service_account_email            = google_service_account.function[each.key].email
    all_traffic_on_latest_revision   = true
    environment_variables = merge(
      local.everywhere,
      { THREADS = tostring(each.value.concurrency) },
      { for setting in each.value.settings : setting => local.values[setting] if local.values[setting] != "" },
      { for secret, folder in local.mounted[each.key] : "${secret}_FILE" => "${folder}/value" },
    )
    dynamic "secret_volumes" {
      for_each = local.mounted[each.key]
      content {
        mount_path = secret_volumes.value
        project_id = var.project
        secret     = google_secret_manager_secret.secret[secret_volumes.key].secret_id
        versions {
          version = "latest"
          path    = "value"
        }
      }
    }
  }

  lifecycle {
    # The code is Cloud Build's; what surrounds it is declared here.
    ignore_changes = [build_config[0].source]
  }
  depends_on = [
    google_project_service.api, google_secret_manager_secret_iam_member.reader, google_project_iam_member.build,
    google_project_iam_member.build_sources, google_storage_bucket_iam_member.build,
  ]
}

resource "google_secret_manager_secret" "secret" {
  for_each  = local.secrets
  secret_id = "${local.prefix}-${lower(replace(each.key, "_", "-"))}"
  replication {
    auto {}
  }
  depends_on = [google_project_service.api]
}
