locals {
  indexes = jsondecode(file("${path.module}/firestore.indexes.json"))
}

resource "google_firestore_database" "records" {
  name                              = var.firestore_database
  location_id                       = var.firestore_location
  type                              = "FIRESTORE_NATIVE"
  delete_protection_state           = "DELETE_PROTECTION_ENABLED"
  point_in_time_recovery_enablement = "POINT_IN_TIME_RECOVERY_ENABLED"
  deletion_policy                   = "ABANDON"
  depends_on                        = [google_project_service.api]
}

resource "google_firestore_backup_schedule" "daily" {
  database  = google_firestore_database.records.name
  retention = "1209600s"
  daily_recurrence {}
}

resource "google_firestore_index" "composite" {
  for_each    = { for index in local.indexes.indexes : join("-", [index.collectionGroup, index.fields[0].fieldPath]) => index }
  database    = google_firestore_database.records.name
  collection  = each.value.collectionGroup
  query_scope = each.value.queryScope
  dynamic "fields" {
    for_each = each.value.fields
    content {
      field_path = fields.value.fieldPath
      order      = fields.value.order
    }
  }
}

# Only what a query asks for is indexed: an index entry costs a write, and one of growing times bounds all writes to about 500/s.
resource "google_firestore_field" "declared" {
  for_each   = { for field in local.indexes.fieldOverrides : "${field.collectionGroup}-${field.fieldPath}" => field }
  database   = google_firestore_database.records.name
  collection = each.value.collectionGroup
  field      = each.value.fieldPath
  index_config {
    dynamic "indexes" {
      for_each = each.value.indexes
      content {
        query_scope  = indexes.value.queryScope
        order        = try(indexes.value.order, null)
        array_config = try(indexes.value.arrayConfig, null)
      }
    }
  }
  dynamic "ttl_config" {
    for_each = try(each.value.ttl, false) ? [1] : []
    content {}
  }
}
