"""The part of settings.py that is monitoring's: events, journal, backups, metrics, alerts."""

import os
import tempfile

import environ

env = environ.Env()

# --- Events ------------------------------------------------------------------------------------
# Who is told what happened, in the transaction in which it happens (core/events.py).
EVENT_SINKS = ["monitoring.webhooks.recording.record", "monitoring.journal.facts.record"]
# The feed goes back so far; the log of webhooks too.
EVENTS_KEEP_DAYS = env.int("EVENTS_KEEP_DAYS", default=30)
EVENTS_WAIT_MAX = 20.0
WEBHOOK_THREADS = env.int("WEBHOOK_THREADS", default=8)
WEBHOOK_SLICE_SECONDS = env.float("WEBHOOK_SLICE_SECONDS", default=5.0)
WEBHOOK_CONNECT_TIMEOUT = env.float("WEBHOOK_CONNECT_TIMEOUT", default=3.0)
WEBHOOK_READ_TIMEOUT = env.float("WEBHOOK_READ_TIMEOUT", default=10.0)
WEBHOOK_TOTAL_TIMEOUT = env.float("WEBHOOK_TOTAL_TIMEOUT", default=15.0)
WEBHOOK_GIVE_UP_HOURS = env.float("WEBHOOK_GIVE_UP_HOURS", default=72.0)
WEBHOOK_DISABLE_AFTER_DAYS = env.float("WEBHOOK_DISABLE_AFTER_DAYS", default=5.0)
WEBHOOK_ROTATION_HOURS = env.float("WEBHOOK_ROTATION_HOURS", default=24.0)
WEBHOOK_MAX_PER_COMPANY = 20
# Where webhooks may go (docs/webhooks.md): by default to the public internet, by https, alone.
WEBHOOK_ALLOW_HTTP = env.bool("WEBHOOK_ALLOW_HTTP", default=False)
WEBHOOK_PORTS = [int(port) for port in env.list("WEBHOOK_PORTS", default=["443", "8443"])]
WEBHOOK_ALLOWED_NETWORKS = env.list("WEBHOOK_ALLOWED_NETWORKS", default=[])
WEBHOOK_CA_FILE = env.str("WEBHOOK_CA_FILE", default="")

# --- Backups ----------------------------------------------------------------------------------
# What a restored copy is compared by (monitoring/backups/facts.py).
BACKUP_FACTS = [
    "monitoring.backups.facts.rows_per_table",
    "monitoring.backups.facts.counters",
    "monitoring.backups.facts.chain_heads",
]
BACKUP_PASSPHRASE = env.str("BACKUP_PASSPHRASE", default="")

# --- Journal -----------------------------------------------------------------------------------
# One look of the follower works no longer than this: it shares its process with deliveries, and a
# long backlog of the journal must leave them at least half of it.
JOURNAL_SLICE_SECONDS = env.float("JOURNAL_SLICE_SECONDS", default=2.5)

# --- Retention (docs/retention.md) -------------------------------------------------------------
# Frozen messages, byte for byte as KRA accepted them: at least 5 in production (etims.E010).
# Receipts, invoices and the journal are kept for ever.
FISCAL_KEEP_YEARS = env.int("FISCAL_KEEP_YEARS", default=7)
# Requests and answers of calls that told KRA something.
CALL_BODIES_KEEP_DAYS = env.int("CALL_BODIES_KEEP_DAYS", default=550)
# Requests and answers of calls that only asked, alerts that are over.
DEBUG_KEEP_DAYS = env.int("DEBUG_KEEP_DAYS", default=90)
PRUNE_SECONDS = env.float("PRUNE_SECONDS", default=300.0)

# --- Monitoring --------------------------------------------------------------------------------
# Who may read /metrics: whoever knows the token or comes from these networks; by default nobody.
METRICS_TOKEN = env.str("METRICS_TOKEN", default="")
METRICS_NETWORKS = env.list("METRICS_NETWORKS", default=[])
# So many devices or lanes are named one by one; the rest is counted.
METRICS_TOP = env.int("METRICS_TOP", default=20)
METRICS_WINDOW_SECONDS = env.float("METRICS_WINDOW_SECONDS", default=300.0)
METRICS_CACHE_SECONDS = env.float("METRICS_CACHE_SECONDS", default=5.0)
METRICS_TIMEOUT_SECONDS = env.float("METRICS_TIMEOUT_SECONDS", default=5.0)
# The watchdog (docs/alerts.md).
ALERT_EMAIL_TO = env.list("ALERT_EMAIL_TO", default=[])
ALERT_EMAIL_FROM = env.str("ALERT_EMAIL_FROM", default="etims@localhost")
ALERT_SLACK_URL = env.str("ALERT_SLACK_URL", default="")
ALERT_WEBHOOK_URL = env.str("ALERT_WEBHOOK_URL", default="")
ALERT_WEBHOOK_SECRET = env.str("ALERT_WEBHOOK_SECRET", default="")
# In Nairobi, as 22:00-06:00; what comes then is told in the morning.
ALERT_QUIET_HOURS = {
    "email": env.str("ALERT_QUIET_EMAIL", default=""),
    "slack": env.str("ALERT_QUIET_SLACK", default=""),
    "webhook": env.str("ALERT_QUIET_WEBHOOK", default=""),
}
ALERT_QUIET_PASSES_CRITICAL = env.bool("ALERT_QUIET_PASSES_CRITICAL", default=True)
ALERT_RUNBOOK_URL = env.str("ALERT_RUNBOOK_URL", default="docs/alerts.md")
ALERT_REMIND_HOURS = env.float("ALERT_REMIND_HOURS", default=6.0)
ALERT_CALM_SECONDS = env.float("ALERT_CALM_SECONDS", default=120.0)
ALERT_NOTHING_ACCEPTED_MINUTES = env.float("ALERT_NOTHING_ACCEPTED_MINUTES", default=10.0)
ALERT_OLDEST_DUE_MINUTES = env.float("ALERT_OLDEST_DUE_MINUTES", default=15.0)
ALERT_UNKNOWN_MINUTES = env.float("ALERT_UNKNOWN_MINUTES", default=10.0)
ALERT_BREAKER_MINUTES = env.float("ALERT_BREAKER_MINUTES", default=2.0)
ALERT_SILENT_SECONDS = env.float("ALERT_SILENT_SECONDS", default=120.0)
ALERT_ERROR_PERCENT = env.float("ALERT_ERROR_PERCENT", default=20.0)
ALERT_ERROR_CALLS = env.int("ALERT_ERROR_CALLS", default=20)
ALERT_ERROR_WINDOW_MINUTES = env.float("ALERT_ERROR_WINDOW_MINUTES", default=15.0)
ALERT_DEADLINE_PERCENTS = env.list("ALERT_DEADLINE_PERCENTS", cast=int, default=[50, 80, 100])
ALERT_EXPIRY_DAYS = env.float("ALERT_EXPIRY_DAYS", default=14.0)
# Of facts that are in no chain yet; and of the newest backup (0: backups are not ours to watch).
ALERT_JOURNAL_MINUTES = env.float("ALERT_JOURNAL_MINUTES", default=15.0)
ALERT_BACKUP_HOURS = env.float("ALERT_BACKUP_HOURS", default=36.0)
ALERT_DISK_FREE_PERCENT = env.float("ALERT_DISK_FREE_PERCENT", default=10.0)
ALERT_DISK_PATHS = env.list("ALERT_DISK_PATHS", default=[])
ALERT_DATABASE_GB = env.float("ALERT_DATABASE_GB", default=0.0)
ALERT_DATABASE_MS = env.float("ALERT_DATABASE_MS", default=250.0)
ALERT_DATABASE_DOWN_SECONDS = env.float("ALERT_DATABASE_DOWN_SECONDS", default=30.0)
# Whose certificates are trusted, when not those the system trusts.
ALERT_CA_FILE = env.str("ALERT_CA_FILE", default="")
WATCHDOG_STATE = env.str(
    "WATCHDOG_STATE", default=f"{tempfile.gettempdir()}/etims-watchdog-{os.getuid()}.json"
)
