locals {
  metrics = jsondecode(file("${path.module}/metrics.json"))
  ours    = "resource.type=\"cloud_run_revision\" AND resource.labels.service_name=~\"^${local.prefix}-\""
  dead    = "resource.type=\"pubsub_subscription\" AND resource.labels.subscription_id=monitoring.regex.full_match(\"${local.prefix}-.*-dead\")"
  run     = "resource.type=\"cloud_run_revision\" AND resource.labels.service_name=monitoring.regex.full_match(\"${local.prefix}-.*\")"
  # Each alert: what is compared, over how long, and where the runbook goes on.
  alerts = {
    failures = {
      title     = "More than 10 % of the messages of an hour were refused"
      severity  = "ERROR"
      query     = "sum(increase(logging_googleapis_com:user_${local.prom}_messages_refused[1h])) / (sum(increase(logging_googleapis_com:user_${local.prom}_messages_sent[1h])) + sum(increase(logging_googleapis_com:user_${local.prom}_messages_refused[1h]))) > 0.1"
      duration  = "0s"
      condition = "promql"
    }
    no_tick = {
      title     = "No tick has come to an end for 5 minutes"
      severity  = "CRITICAL"
      query     = "absent_over_time(logging_googleapis_com:user_${local.prom}_ticks[5m])"
      duration  = "0s"
      condition = "promql"
    }
  }
  prom = replace(local.prefix, "-", "_")
  thresholds = {
    server_errors = {
      title     = "A function answered 5xx more than 5 times in 5 minutes"
      severity  = "ERROR"
      filter    = "${local.run} AND metric.type=\"run.googleapis.com/request_count\" AND metric.labels.response_code_class=\"5xx\""
      threshold = 5
      aligner   = "ALIGN_DELTA"
      period    = "300s"
      duration  = "0s"
      by        = ["resource.labels.service_name"]
    }
    dead_letters = {
      title     = "Events lie in a dead-letter subscription"
      severity  = "WARNING"
      filter    = "${local.dead} AND metric.type=\"pubsub.googleapis.com/subscription/num_undelivered_messages\""
      threshold = 0
      aligner   = "ALIGN_MAX"
      period    = "300s"
      duration  = "0s"
      by        = ["resource.labels.subscription_id"]
    }
    gate_closed = {
      title     = "The gate is closed"
      severity  = "ERROR"
      filter    = "resource.type=\"cloud_run_revision\" AND metric.type=\"logging.googleapis.com/user/${local.prefix}/gate_closed\""
      threshold = 0
      aligner   = "ALIGN_DELTA"
      period    = "300s"
      duration  = "0s"
      by        = ["metric.labels.reason"]
    }
    outcomes_lost = {
      title     = "An outcome could not be recorded"
      severity  = "CRITICAL"
      filter    = "resource.type=\"cloud_run_revision\" AND metric.type=\"logging.googleapis.com/user/${local.prefix}/outcomes_lost\""
      threshold = 0
      aligner   = "ALIGN_DELTA"
      period    = "300s"
      duration  = "0s"
      by        = []
    }
  }
}

resource "google_logging_metric" "events" {
  for_each    = local.metrics
  name        = "${local.prefix}/${each.key}"
  description = each.value.description
  filter      = "${local.ours} AND ${each.value.filter}"
  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = try(each.value.value, null) == null ? "INT64" : "DISTRIBUTION"
    unit        = try(each.value.value, null) == null ? "1" : "s"
    dynamic "labels" {
      for_each = each.value.labels
      content {
        key        = labels.key
        value_type = "STRING"
      }
    }
  }
  label_extractors = { for label, field in each.value.labels : label => "EXTRACT(${field})" }
  value_extractor  = try("EXTRACT(${each.value.value})", null)
  depends_on       = [google_project_service.api]
}

resource "google_monitoring_notification_channel" "email" {
  display_name = "Broadcast Manager's operator"
  type         = "email"
  labels       = { email_address = var.alert_email }
  depends_on   = [google_project_service.api]
}

resource "google_monitoring_alert_policy" "query" {
  for_each              = local.alerts
  display_name          = "Broadcast Manager: ${each.value.title}"
  combiner              = "OR"
  severity              = each.value.severity
  notification_channels = [google_monitoring_notification_channel.email.id]
  conditions {
    display_name = each.value.title
    condition_prometheus_query_language {
      query    = each.value.query
      duration = each.value.duration
    }
  }
  documentation {
    content   = "docs/runbook.md, \"${each.value.title}\""
    mime_type = "text/markdown"
  }
  depends_on = [google_logging_metric.events]
}

resource "google_monitoring_alert_policy" "threshold" {
  for_each              = local.thresholds
  display_name          = "Broadcast Manager: ${each.value.title}"
  combiner              = "OR"
  severity              = each.value.severity
  notification_channels = [google_monitoring_notification_channel.email.id]
  conditions {
    display_name = each.value.title
    condition_threshold {
      filter          = each.value.filter
      comparison      = "COMPARISON_GT"
      threshold_value = each.value.threshold
      duration        = each.value.duration
      aggregations {
        alignment_period     = each.value.period
        per_series_aligner   = each.value.aligner
        cross_series_reducer = "REDUCE_SUM"
        group_by_fields      = each.value.by
      }
    }
  }
  documentation {
    content   = "docs/runbook.md, \"${each.value.title}\""
    mime_type = "text/markdown"
  }
  depends_on = [google_logging_metric.events]
}

locals {
  charts = {
    "Broadcasts begun, by cause"              = { type = "logging.googleapis.com/user/${local.prefix}/broadcasts", by = ["metric.labels.cause"] }
    "Messages sent"                           = { type = "logging.googleapis.com/user/${local.prefix}/messages_sent", by = [] }
    "Messages refused, by fault"              = { type = "logging.googleapis.com/user/${local.prefix}/messages_refused", by = ["metric.labels.fault"] }
    "Messages unconfirmed"                    = { type = "logging.googleapis.com/user/${local.prefix}/messages_unconfirmed", by = [] }
    "Throttled by Telegram"                   = { type = "logging.googleapis.com/user/${local.prefix}/throttled", by = [] }
    "Resend refused, by reason"               = { type = "logging.googleapis.com/user/${local.prefix}/resends_refused", by = ["metric.labels.why"] }
    "Ticks that ended (none: nothing is due)" = { type = "logging.googleapis.com/user/${local.prefix}/ticks", by = [] }
    "The gate was closed, by reason"          = { type = "logging.googleapis.com/user/${local.prefix}/gate_closed", by = ["metric.labels.reason"] }
  }
  backlog = "resource.type=\"pubsub_subscription\" AND resource.labels.subscription_id=monitoring.regex.full_match(\"${local.prefix}-.*\") AND metric.type=\"pubsub.googleapis.com/subscription/num_undelivered_messages\""
  counts = [for title, chart in local.charts : {
    title = title
    xyChart = {
      dataSets = [{
        plotType = "STACKED_BAR"
        timeSeriesQuery = { timeSeriesFilter = {
          filter      = "resource.type=\"cloud_run_revision\" AND metric.type=\"${chart.type}\""
          aggregation = { alignmentPeriod = "60s", perSeriesAligner = "ALIGN_DELTA", crossSeriesReducer = "REDUCE_SUM", groupByFields = chart.by }
        } }
      }]
    }
  }]
  latencies = [for percentile in ["50", "95", "99"] : {
    plotType       = "LINE"
    legendTemplate = "p${percentile}"
    timeSeriesQuery = { timeSeriesFilter = {
      filter      = "resource.type=\"cloud_run_revision\" AND metric.type=\"logging.googleapis.com/user/${local.prefix}/latency\""
      aggregation = { alignmentPeriod = "60s", perSeriesAligner = "ALIGN_DELTA", crossSeriesReducer = "REDUCE_PERCENTILE_${percentile}", groupByFields = ["metric.labels.cause"] }
    } }
  }]
  others = [
    { title = "Seconds from claim to message, by cause", xyChart = { dataSets = local.latencies } },
    { title = "Events not yet delivered, and dead letters", xyChart = { dataSets = [{
      plotType = "LINE"
      timeSeriesQuery = { timeSeriesFilter = {
        filter      = local.backlog
        aggregation = { alignmentPeriod = "60s", perSeriesAligner = "ALIGN_MAX", crossSeriesReducer = "REDUCE_SUM", groupByFields = ["resource.labels.subscription_id"] }
      } }
    }] } },
    { title = "Age of the last tick", xyChart = { dataSets = [{
      plotType        = "LINE"
      timeSeriesQuery = { prometheusQuery = "time() - max(timestamp(logging_googleapis_com:user_${local.prom}_ticks))" }
    }] } },
  ]
}

resource "google_monitoring_dashboard" "overview" {
  dashboard_json = jsonencode({
    displayName = "Broadcast Manager"
    gridLayout  = { columns = 2, widgets = concat(local.counts, local.others) }
  })
  depends_on = [google_logging_metric.events]
}
