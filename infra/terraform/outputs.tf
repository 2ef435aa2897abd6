output "urls" {
  description = "Where the public functions answer."
  value       = { for name, function in local.functions : name => google_cloudfunctions2_function.function[name].service_config[0].uri if function.public }
}

output "releases" {
  description = "The bucket that Cloud Build puts the bundles into."
  value       = google_storage_bucket.releases.name
}

output "secrets" {
  description = "Secrets that need a version before the functions start: printf %s \"$VALUE\" | gcloud secrets versions add NAME --data-file=-"
  value       = [for secret in google_secret_manager_secret.secret : secret.secret_id]
}

output "deploy_account" {
  description = "The account that Cloud Build deploys with."
  value       = google_service_account.deploy.email
}
