terraform {
  required_version = ">= 1.7"
  required_providers {
    google = {
      source  = "hashicorp/google"
      version = "~> 8.0"
    }
  }
  # Set with `terraform init -backend-config=bucket=…`; the state holds no secret.
  backend "gcs" {
    prefix = "broadcast-manager"
  }
}

provider "google" {
  project = var.project
  region  = var.region
}
