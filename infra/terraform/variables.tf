variable "project" {
  description = "The id of the Google Cloud project."
  type        = string
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project))
    error_message = "A project id has 6 to 30 lower-case letters, digits and hyphens, and begins with a letter."
  }
}

variable "region" {
  description = "Where the functions run."
  type        = string
  default     = "europe-west3"
  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]+$", var.region))
    error_message = "A region such as europe-west3."
  }
}

variable "firestore_location" {
  description = "Where the records lie; cannot be changed afterwards. A region near the functions, or a multi-region such as eur3."
  type        = string
  default     = "europe-west3"
  validation {
    condition     = can(regex("^([a-z]+-[a-z]+[0-9]+|eur3|nam5|nam7)$", var.firestore_location))
    error_message = "A region such as europe-west3, or one of the multi-regions eur3, nam5, nam7."
  }
}

variable "firestore_database" {
  description = "The name of the Firestore database. A project has one free database, and that is (default)."
  type        = string
  default     = "(default)"
  validation {
    condition     = can(regex("^(\\(default\\)|[a-z][a-z0-9-]{2,61}[a-z0-9])$", var.firestore_database))
    error_message = "(default), or 4 to 63 lower-case letters, digits and hyphens."
  }
}

variable "release" {
  description = "The folder in the bucket of releases whose bundles the functions are made from at first; later deployments are Cloud Build's."
  type        = string
  default     = "first"
  validation {
    condition     = can(regex("^[A-Za-z0-9._-]+$", var.release))
    error_message = "The name of one folder, without a slash."
  }
}

variable "python" {
  description = "The Python of the functions; the one that built the bundles, whose bytecode they hold."
  type        = string
  default     = "python313"
  validation {
    condition     = contains(["python311", "python312", "python313", "python314"], var.python)
    error_message = "One of python311, python312, python313, python314."
  }
}

variable "bot_username" {
  description = "The bot's username without the @; it stands in every offer's links."
  type        = string
  validation {
    condition     = can(regex("^[A-Za-z0-9_]{5,32}$", var.bot_username))
    error_message = "A bot's username, such as my_shop_bot, without the @."
  }
}

variable "telegram_rate" {
  description = "Messages a second of all senders together. Telegram allows a bot about 30; another program with the same token needs its share."
  type        = number
  default     = 25
  validation {
    condition     = var.telegram_rate > 0 && var.telegram_rate <= 150
    error_message = "Above 0 and at most 150: Firestore cannot record more."
  }
}

variable "paid_broadcast" {
  description = "Pay 0.1 Star from the bot's balance for each message beyond the free 30 a second; telegram_rate above 30 needs it. To be switched on in @BotFather as well."
  type        = bool
  default     = false
}

variable "telegram_api_url" {
  description = "The Bot API server."
  type        = string
  default     = "https://api.telegram.org"
  validation {
    condition     = startswith(var.telegram_api_url, "https://")
    error_message = "An address that begins with https://; the token is part of every request."
  }
}

variable "broadcast_auto_interval_hours" {
  description = "Hours between two scheduled broadcasts of a pair that has no schedule of its own."
  type        = number
  default     = 24
  validation {
    condition     = var.broadcast_auto_interval_hours > 0
    error_message = "Above 0."
  }
}

variable "broadcast_manual_interval_hours" {
  description = "Hours between two presses of Resend; 0.0833 is five minutes."
  type        = number
  default     = 0.0833
  validation {
    condition     = var.broadcast_manual_interval_hours > 0
    error_message = "Above 0."
  }
}

variable "cors_origins" {
  description = "Origins of the website that may call the API from a browser and sign its clients in on the dashboard, such as https://www.example.com."
  type        = list(string)
  default     = []
  validation {
    condition     = alltrue([for origin in var.cors_origins : can(regex("^https://[^/,]+$", origin))])
    error_message = "Origins begin with https:// and have no path."
  }
}

variable "operators" {
  description = "Ids of the clients who may see the operator's page of the dashboard, over all pairs of everybody."
  type        = list(string)
  default     = []
  validation {
    condition     = alltrue([for id in var.operators : can(regex("^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", id))])
    error_message = "Ids of clients are UUIDs in lower case."
  }
}

variable "jwt_audience" {
  description = "The aud that tokens must carry; empty asks for none."
  type        = string
  default     = ""
  validation {
    condition     = trimspace(var.jwt_audience) == var.jwt_audience
    error_message = "Without white space around it."
  }
}

variable "jwt_issuer" {
  description = "The iss that tokens must carry; empty asks for none."
  type        = string
  default     = ""
  validation {
    condition     = trimspace(var.jwt_issuer) == var.jwt_issuer
    error_message = "Without white space around it."
  }
}

variable "rotating_jwt_secret" {
  description = "True while tokens signed with the secret before are still accepted; the secret broadcast-manager-jwt-secret-key-previous must have a version then."
  type        = bool
  default     = false
}

variable "log_level" {
  description = "The least severe lines that are logged. Metrics and alerts count lines of INFO, so no higher one can be chosen."
  type        = string
  default     = "INFO"
  validation {
    condition     = contains(["DEBUG", "INFO"], var.log_level)
    error_message = "DEBUG or INFO: without the lines of INFO there are no metrics, and the alert for missing ticks never ends."
  }
}

variable "tick_schedule" {
  description = "When it is looked for what is due, as cron in UTC."
  type        = string
  default     = "* * * * *"
  validation {
    condition     = length(split(" ", var.tick_schedule)) == 5
    error_message = "Five fields of cron, such as * * * * * for every minute."
  }
}

variable "instances_kept_for_owners" {
  description = "Instances of each public function that are kept although nobody calls: 0 costs nothing, and the first press of a quiet hour waits some 2 s for a start; 1 spares that for about 10 dollars a month and function."
  type        = number
  default     = 0
  validation {
    condition     = contains([0, 1, 2], var.instances_kept_for_owners)
    error_message = "0, 1 or 2."
  }
}

variable "runbook" {
  description = "Where the operator reads docs/runbook.md: its address, to which the mails of alerts link."
  type        = string
  default     = "docs/runbook.md"
  validation {
    condition     = var.runbook == "docs/runbook.md" || can(regex("^https://[^#]+$", var.runbook))
    error_message = "An address that begins with https:// and has no #."
  }
}

variable "alert_email" {
  description = "Where alerts go."
  type        = string
  validation {
    condition     = can(regex("^[^@ ]+@[^@ ]+$", var.alert_email))
    error_message = "An e-mail address."
  }
}
