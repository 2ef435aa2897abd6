mock_provider "google" {
  mock_data "google_project" {
    defaults = { number = "123456789" }
  }
}

variables {
  project      = "a-test-project"
  bot_username = "test_shop_bot"
  alert_email  = "operator@example.com"
}

run "every_event_has_a_way_out" {
  command = plan
  assert {
    condition     = alltrue([for s in google_pubsub_subscription.push : length(s.dead_letter_policy) == 1 && length(s.retry_policy) == 1])
    error_message = "Each push subscription needs a retry policy and a dead-letter topic."
  }
  assert {
    condition     = alltrue([for s in google_pubsub_subscription.push : length(s.push_config[0].oidc_token) == 1])
    error_message = "Pushes must say who they are."
  }
  assert {
    condition     = length(google_pubsub_subscription.dead) == length(google_pubsub_topic.dead)
    error_message = "A dead-letter topic without a subscription loses what it is given."
  }
  assert {
    condition     = alltrue([for s in concat(values(google_pubsub_subscription.push), values(google_pubsub_subscription.dead)) : s.expiration_policy[0].ttl == ""])
    error_message = "Subscriptions must not expire."
  }
  assert {
    condition     = alltrue([for m in google_pubsub_topic_iam_member.dead_letters_in : m.member == "serviceAccount:service-123456789@gcp-sa-pubsub.iam.gserviceaccount.com" && m.role == "roles/pubsub.publisher"])
    error_message = "Pub/Sub itself must be allowed to publish dead letters."
  }
}

run "deadlines_lie_in_order" {
  command = plan
  assert {
    condition     = alltrue([for name, s in google_pubsub_subscription.push : s.ack_deadline_seconds > google_cloudfunctions2_function.function[name].service_config[0].timeout_seconds])
    error_message = "A push must wait longer than its function may work."
  }
}

run "accounts_are_lean" {
  command = plan
  assert {
    condition     = length(google_service_account.function) == length(google_cloudfunctions2_function.function)
    error_message = "Each function needs an account of its own."
  }
  assert {
    condition     = alltrue([for m in concat(values(google_project_iam_member.records), values(google_project_iam_member.build), values(google_project_iam_member.deploy)) : !contains(["roles/owner", "roles/editor", "roles/viewer"], m.role)])
    error_message = "No account gets a basic role."
  }
  assert {
    condition     = alltrue([for m in google_project_iam_member.records : length(m.condition) == 1])
    error_message = "The records' right must be kept to one database."
  }
  assert {
    condition     = strcontains(google_project_iam_member.build_sources.condition[0].expression, "gcf-v2-sources-123456789-")
    error_message = "The account that builds reads the sources of functions and no other bucket."
  }
  assert {
    condition     = keys(google_cloud_run_v2_service_iam_member.public) == [for name, f in local.functions : name if f.public]
    error_message = "Only public functions admit everybody."
  }
  assert {
    condition     = alltrue([for name, f in google_cloudfunctions2_function.function : f.service_config[0].ingress_settings == (local.functions[name].public ? "ALLOW_ALL" : "ALLOW_INTERNAL_ONLY")])
    error_message = "What is not public must not be reached from outside."
  }
}

run "secrets_are_files" {
  command = plan
  assert {
    condition     = alltrue([for f in google_cloudfunctions2_function.function : !contains(keys(f.service_config[0].environment_variables), "BOT_TOKEN") && !contains(keys(f.service_config[0].environment_variables), "JWT_SECRET_KEY")])
    error_message = "Secrets must be mounted, not set."
  }
  assert {
    condition     = google_cloudfunctions2_function.function["send"].service_config[0].environment_variables["BOT_TOKEN_FILE"] == "/secrets/bot-token/value"
    error_message = "The send reads its token from the mounted file."
  }
  assert {
    condition     = !contains(keys(google_cloudfunctions2_function.function["trigger"].service_config[0].environment_variables), "JWT_SECRET_KEY_PREVIOUS_FILE")
    error_message = "The secret before is mounted only during a rotation."
  }
}

run "an_operator_is_named_by_an_id" {
  command = plan
  variables {
    operators = ["somebody"]
  }
  expect_failures = [var.operators]
}

run "a_rotation_mounts_the_secret_before" {
  command = plan
  variables {
    rotating_jwt_secret = true
  }
  assert {
    condition     = google_cloudfunctions2_function.function["trigger"].service_config[0].environment_variables["JWT_SECRET_KEY_PREVIOUS_FILE"] == "/secrets/jwt-secret-key-previous/value"
    error_message = "During a rotation the secret before is mounted too."
  }
}

run "records_are_kept" {
  command = plan
  assert {
    condition     = google_firestore_database.records.delete_protection_state == "DELETE_PROTECTION_ENABLED"
    error_message = "The records must be protected."
  }
  assert {
    condition     = length([for f in google_firestore_field.declared : f if length(f.ttl_config) == 1]) == 2
    error_message = "Ended pairs and history go by TTL."
  }
}

run "someone_is_woken" {
  command = plan
  assert {
    condition     = alltrue([for p in concat(values(google_monitoring_alert_policy.query), values(google_monitoring_alert_policy.threshold)) : length(p.notification_channels) == 1])
    error_message = "An alert nobody hears is none."
  }
  assert {
    condition     = alltrue([for p in concat(values(google_monitoring_alert_policy.query), values(google_monitoring_alert_policy.threshold)) : strcontains(p.documentation[0].content, "(docs/runbook.md#")])
    error_message = "An alert must say where the runbook goes on."
  }
  assert {
    condition     = alltrue([for p in concat(values(google_monitoring_alert_policy.query), values(google_monitoring_alert_policy.threshold)) : p.alert_strategy[0].auto_close == "1800s"])
    error_message = "An incident that stays open hides the next one."
  }
  assert {
    condition     = alltrue([for p in google_monitoring_alert_policy.query : p.conditions[0].condition_prometheus_query_language[0].disable_metric_validation])
    error_message = "The first deployment has no metrics yet."
  }
  assert {
    condition     = strcontains(google_monitoring_alert_policy.threshold["gate_closed"].documentation[0].content, "Reason: $${metric.label.reason}.")
    error_message = "The alert for the gate must say why it is closed."
  }
  assert {
    condition     = strcontains(google_monitoring_alert_policy.query["failures"].documentation[0].content, "#more-than-10--of-the-messages-of-an-hour-were-refused)")
    error_message = "A link to the runbook must name the chapter as it is named there."
  }
}

run "owners_may_be_spared_a_cold_start" {
  command = plan
  variables {
    instances_kept_for_owners = 1
  }
  assert {
    condition     = alltrue([for name, f in google_cloudfunctions2_function.function : f.service_config[0].min_instance_count == (local.functions[name].public ? 1 : 0)])
    error_message = "Instances are kept for the public functions and no other."
  }
}

run "a_log_level_that_blinds_the_alerts_is_refused" {
  command = plan
  variables {
    log_level = "WARNING"
  }
  expect_failures = [var.log_level]
}

run "each_name_and_place_has_its_shape" {
  command = plan
  variables {
    region             = "Frankfurt"
    firestore_location = "europe"
    firestore_database = "Records"
    release            = "a/b"
    python             = "python310"
    tick_schedule      = "every minute"
    jwt_audience       = "website "
    jwt_issuer         = " website"
    telegram_api_url   = "http://api.telegram.org"
    alert_email        = "operator"
    runbook            = "runbook"
    cors_origins       = ["https://www.example.com/"]
  }
  expect_failures = [
    var.region, var.firestore_location, var.firestore_database, var.release, var.python, var.tick_schedule, var.jwt_audience,
    var.jwt_issuer, var.telegram_api_url, var.alert_email, var.runbook, var.cors_origins,
  ]
}

run "a_named_database_and_a_multi_region_are_taken" {
  command = plan
  variables {
    firestore_location = "eur3"
    firestore_database = "restored"
    runbook            = "https://example.com/runbook.md"
  }
  assert {
    condition     = alltrue([for m in google_project_iam_member.records : strcontains(m.condition[0].expression, "databases/restored")])
    error_message = "The functions' right follows the database."
  }
}

run "a_rate_that_firestore_cannot_record_is_refused" {
  command = plan
  variables {
    telegram_rate = 151
  }
  expect_failures = [var.telegram_rate]
}

run "a_username_with_an_at_is_refused" {
  command = plan
  variables {
    bot_username = "@shop"
  }
  expect_failures = [var.bot_username]
}
