locals {
  metrics = jsondecode(file("${path.module}/metrics.json"))
  ours    = "resource.type=\"cloud_run_revision\" AND resource.labels.service_name=~\"^${local.prefix}-\""
  dead    = "resource.type=\"pubsub_subscription\" AND resource.labels.subscription_id=monitoring.regex.full_match(\"${local.prefix}-.*-dead\")"
  run     = "resource.type=\"cloud_run_revision\" AND resource.labels.service_name=monitoring.regex.full_match(\"${local.prefix}-.*\")"
  # In PromQL a metric that lines of any resource could count must name the one it means (Cloud Monitoring, "Mapping to PromQL").
  lines = { for name, metric in local.metrics : name => "logging_googleapis_com:user_${local.prom}_${name}{monitored_resource=\"cloud_run_revision\"}" }
  # A metric of which there were no lines yet is no series at all: `or vector(0)` makes a nought of it.
  hourly = { for name, line in local.lines : name => "(sum(increase(${line}[1h])) or vector(0))" }
  # Each alert: what is compared, over how long. Its title is a heading of the runbook.
  alerts = {
    failures = {
      title    = "More than 10 % of the messages of an hour were refused"
      severity = "ERROR"
      # One or two messages are one owner's channel, and no rate.
      query    = "${local.hourly.messages_refused} / (${local.hourly.messages_sent} + ${local.hourly.messages_refused}) > 0.1 and ${local.hourly.messages_refused} > 4"
      duration = "0s"
    }
    no_tick = {
      title    = "No tick has come to an end for 5 minutes"
      severity = "CRITICAL"
      query    = "(sum(increase(${local.lines.ticks}[5m])) or vector(0)) < 0.5"
      duration = "0s"
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
      says      = "Function: $${resource.label.service_name}. "
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
      says      = "Subscription: $${resource.label.subscription_id}. "
    }
    # Telegram's own pauses of some seconds open by themselves and wake nobody; the next alert is for those that last.
    gate_closed = {
      title     = "The gate is closed"
      severity  = "ERROR"
      filter    = "resource.type=\"cloud_run_revision\" AND metric.type=\"logging.googleapis.com/user/${local.prefix}/gate_closed\" AND metric.labels.reason!=\"throttled\""
      threshold = 0
      aligner   = "ALIGN_DELTA"
      period    = "300s"
      duration  = "0s"
      by        = ["metric.labels.reason"]
      says      = "Reason: $${metric.label.reason}. "
    }
    throttled = {
      title     = "Telegram has asked for a pause for 10 minutes"
      severity  = "WARNING"
      filter    = "resource.type=\"cloud_run_revision\" AND metric.type=\"logging.googleapis.com/user/${local.prefix}/gate_closed\" AND metric.labels.reason=\"throttled\""
      threshold = 0
      aligner   = "ALIGN_DELTA"
      period    = "120s"
      duration  = "600s"
      by        = ["metric.labels.reason"]
      says      = ""
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
      says      = ""
    }
  }
  # Headings as the sites that show Markdown name them.
  runbook = { for name, alert in merge(local.alerts, local.thresholds) :
    name => "${var.runbook}#${replace(replace(lower(alert.title), "/[^a-z0-9 -]/", ""), " ", "-")}"
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
      # A metric that no line has been counted for yet is not known, and the policy would be refused.
      disable_metric_validation = true
    }
  }
  documentation {
    content   = "[What it means and what to do](${local.runbook[each.key]})"
    mime_type = "text/markdown"
  }
  # Without it an incident whose lines stop coming stays open for days, and nobody is told of the next one.
  alert_strategy {
    auto_close = "1800s"
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
    content   = "${each.value.says}[What it means and what to do](${local.runbook[each.key]})"
    mime_type = "text/markdown"
  }
  # Without it an incident whose lines stop coming stays open for days, and nobody is told of the next one.
  alert_strategy {
    auto_close = "1800s"
  }
  depends_on = [google_logging_metric.events]
}

locals {
  charts = {
    "Broadcasts begun, by cause"     = { type = "logging.googleapis.com/user/${local.prefix}/broadcasts", by = ["metric.labels.cause"] }
    "Messages sent"                  = { type = "logging.googleapis.com/user/${local.prefix}/messages_sent", by = [] }
    "Messages refused, by fault"     = { type = "logging.googleapis.com/user/${local.prefix}/messages_refused", by = ["metric.labels.fault"] }
    "Messages unconfirmed"           = { type = "logging.googleapis.com/user/${local.prefix}/messages_unconfirmed", by = [] }
    "Throttled by Telegram"          = { type = "logging.googleapis.com/user/${local.prefix}/throttled", by = [] }
    "Resend refused, by reason"      = { type = "logging.googleapis.com/user/${local.prefix}/resends_refused", by = ["metric.labels.why"] }
    "Ticks that came to an end"      = { type = "logging.googleapis.com/user/${local.prefix}/ticks", by = [] }
    "The gate was closed, by reason" = { type = "logging.googleapis.com/user/${local.prefix}/gate_closed", by = ["metric.labels.reason"] }
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
    legendTemplate = "p${percentile} $${metric.labels.cause}"
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
      timeSeriesQuery = { prometheusQuery = "time() - max_over_time(timestamp(sum(increase(${local.lines.ticks}[2m])) > 0.5)[1d:1m])" }
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
