"""All settings, from the environment. No default here would be unsafe in production.

`DATABASE_URL`, `REDIS_URL`, `SECRET_KEY` and `ENCRYPTION_KEYS` have no default at all.
"""

from datetime import timedelta
from pathlib import Path

import environ
from celery.schedules import crontab
from csp import constants as csp
from django.templatetags.static import static

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()

# --- Identity of this installation -------------------------------------------------------------
DEBUG = env.bool("DEBUG", default=False)
SECRET_KEY = env.str("SECRET_KEY")
# Fernet keys, newest first: the first encrypts, all decrypt (manage.py rotate_encryption_keys).
ENCRYPTION_KEYS = env.list("ENCRYPTION_KEYS")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=[])
# Where buyers and tills reach this server; receipt links start with it.
PUBLIC_URL = env.str("PUBLIC_URL", default="http://127.0.0.1:8000").rstrip("/")
# Where the pages of docs/ are published; the help of errors links there.
DOCS_URL = env.str("DOCS_URL", default="").rstrip("/")
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[PUBLIC_URL])

INSTALLED_APPS = [
    # The theme, before what it dresses; the admin's own site is ours.
    "unfold.apps.BasicAppConfig",
    "monitoring.apps.Admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_otp",
    "django_otp.plugins.otp_totp",
    "django_otp.plugins.otp_static",
    "axes",
    "core",
    "companies",
    "devices",
    "outbox",
    "items",
    "sales",
    "purchases",
    "monitoring",
    # After us: our templates take the place of its own.
    "two_factor",
]

MIDDLEWARE = [
    "monitoring.metrics.requests.CountRequests",
    "core.middleware.RequestIdMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "core.middleware.BrowserPolicy",
    "core.middleware.PeoplesSessions",
    "core.middleware.SlashMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "core.middleware.PeoplesLogin",
    "core.middleware.PeoplesSecondFactor",
    "core.middleware.PeoplesMessages",
    "monitoring.middleware.AuditedApi",
    # Last: it turns what the views answer to a locked-out person into one page.
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "etims_integration.urls"
WSGI_APPLICATION = "etims_integration.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# --- Stores ------------------------------------------------------------------------------------
DATABASES = {"default": env.db_url("DATABASE_URL")}
# A new connection costs more than a whole request.
DATABASES["default"]["CONN_MAX_AGE"] = env.int("DATABASE_CONN_MAX_AGE", default=600)
DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
DATABASES["default"]["ATOMIC_REQUESTS"] = False
DATABASES["default"]["DISABLE_SERVER_SIDE_CURSORS"] = True
# Only what asks for it is prepared on the server (core/sql.py). PgBouncer in transaction mode needs
# version 1.21 and its max_prepared_statements for that; an older one needs DATABASE_PREPARE=false.
PREPARE_NOTHING_BY_ITSELF = 1_000_000_000
DATABASES["default"].setdefault("OPTIONS", {}).update(
    {
        "application_name": "etims",
        "connect_timeout": 5,
        # A server that is cut off is noticed within a minute, not after the system's two hours.
        "keepalives_idle": 30,
        "keepalives_interval": 10,
        "keepalives_count": 3,
        "tcp_user_timeout": 30_000,
        "prepare_threshold": PREPARE_NOTHING_BY_ITSELF
        if env.bool("DATABASE_PREPARE", default=True)
        else None,
    }
)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = env.str("REDIS_URL")
# Without a word on certificates Celery would take anybody's, unlike the other clients of Redis.
if REDIS_URL.startswith("rediss://") and "ssl_cert_reqs=" not in REDIS_URL:
    _verify = "required" if env.bool("REDIS_TLS_VERIFY", default=True) else "none"
    REDIS_URL += f"{'&' if '?' in REDIS_URL else '?'}ssl_cert_reqs={_verify}"

# --- Celery: a doorbell ------------------------------------------------------------------------
CELERY_BROKER_URL = REDIS_URL
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = False
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
# A lane waits for any free thread, not behind the busy threads of the worker that took it.
CELERY_WORKER_DISABLE_PREFETCH = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# A dead broker must cost the till milliseconds, not seconds: the sweep rings later.
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "socket_connect_timeout": 1,
    "socket_timeout": 5,
    "visibility_timeout": 3600,
}
CELERY_TASK_PUBLISH_RETRY = False
CELERY_TIMEZONE = "Africa/Nairobi"
CELERY_BEAT_SCHEDULER = "monitoring.heartbeats.BeatScheduler"
CELERY_BEAT_SCHEDULE = {
    "sweep": {"task": "outbox.tasks.sweep", "schedule": env.float("SWEEP_SECONDS", default=5.0)},
    "probe": {"task": "outbox.tasks.probe", "schedule": env.float("PROBE_SECONDS", default=5.0)},
    "heartbeat": {"task": "monitoring.tasks.heartbeat", "schedule": 10.0},
    "reconcile": {
        "task": "sales.tasks.reconcile",
        "schedule": env.float("RECONCILE_SECONDS", default=300.0),
    },
    "send-emails": {
        "task": "sales.tasks.send_emails",
        "schedule": env.float("EMAIL_SECONDS", default=10.0),
    },
    # By the hour, so that a day that was missed is closed once the service is up again.
    "close-days": {"task": "sales.tasks.close_days", "schedule": crontab(minute=10)},
    "sync-purchases": {
        "task": "purchases.tasks.sync_purchases",
        "schedule": timedelta(hours=env.float("PURCHASES_SYNC_HOURS", default=6.0)),
    },
    # Looks every half hour which lists are due; a run that broke off goes on with the next look.
    "sync-codes": {"task": "items.tasks.sync_codes", "schedule": timedelta(minutes=30)},
    "send-webhooks": {
        "task": "monitoring.tasks.send_webhooks",
        "schedule": env.float("WEBHOOK_SECONDS", default=2.0),
    },
    "prune-events": {"task": "monitoring.tasks.prune_events", "schedule": timedelta(hours=1)},
    # While shops sleep.
    "prune-old": {"task": "monitoring.tasks.prune_old", "schedule": crontab(hour=1, minute=30)},
    "sync-imports": {"task": "items.tasks.sync_imports", "schedule": timedelta(hours=6)},
    "journal": {
        "task": "monitoring.tasks.follow_journal",
        "schedule": env.float("JOURNAL_SECONDS", default=5.0),
    },
    "journal-checkpoints": {
        "task": "monitoring.tasks.checkpoint_journals",
        "schedule": timedelta(hours=1),
    },
    # By the clock: an interval would start anew with every restart.
    "sync-branches": {
        "task": "devices.tasks.sync_all_branches",
        "schedule": crontab(hour=2, minute=40),
    },
}

# --- KRA ---------------------------------------------------------------------------------------
# Hosts by (environment, profile). KRA has not confirmed the production hosts of its newer gateway,
# so those have no default (docs/kra.md).
KRA_SIMULATOR_URL = env.str("KRA_SIMULATOR_URL", default="").rstrip("/")
KRA_HOSTS = {
    ("simulator", "direct"): (f"{KRA_SIMULATOR_URL}/etims-api", ""),
    ("simulator", "gavaconnect"): (
        f"{KRA_SIMULATOR_URL}/etims-oscu/api/v1",
        f"{KRA_SIMULATOR_URL}/v1/token/generate?grant_type=client_credentials",
    ),
    ("sandbox", "direct"): (
        env.str("KRA_SANDBOX_DIRECT_URL", default="https://etims-api-sbx.kra.go.ke/etims-api"),
        "",
    ),
    ("sandbox", "gavaconnect"): (
        env.str("KRA_SANDBOX_GATEWAY_URL", default="https://sbx.kra.go.ke/etims-oscu/api/v1"),
        env.str(
            "KRA_SANDBOX_TOKEN_URL",
            default="https://sbx.kra.go.ke/v1/token/generate?grant_type=client_credentials",
        ),
    ),
    ("production", "direct"): (
        env.str("KRA_PRODUCTION_DIRECT_URL", default="https://etims-api.kra.go.ke/etims-api"),
        "",
    ),
    ("production", "gavaconnect"): (
        env.str("KRA_PRODUCTION_GATEWAY_URL", default=""),
        env.str("KRA_PRODUCTION_TOKEN_URL", default=""),
    ),
}
KRA_CONNECT_TIMEOUT = env.float("KRA_CONNECT_TIMEOUT", default=3.0)
KRA_READ_TIMEOUT = env.float("KRA_READ_TIMEOUT", default=20.0)
# Seconds per endpoint where the general read timeout does not fit (kra/profiles.py has the ids).
KRA_READ_TIMEOUTS = {
    "item_class_list": env.float("KRA_CLASSIFICATION_TIMEOUT", default=300.0),
    "code_list": env.float("KRA_CODE_LIST_TIMEOUT", default=120.0),
    "sales_list": env.float("KRA_SALES_LIST_TIMEOUT", default=120.0),
    # Somebody waits at the counter for it.
    "customer_pin": env.float("KRA_PIN_LOOKUP_TIMEOUT", default=5.0),
}
KRA_POOL_SIZE = env.int("KRA_POOL_SIZE", default=64)
# How line amounts are computed for each transport profile (rules T3).
KRA_TAX_CONVENTIONS = {
    "direct": env.str("KRA_TAX_CONVENTION_DIRECT", default="inclusive-split"),
    "gavaconnect": env.str("KRA_TAX_CONVENTION_GATEWAY", default="inclusive-split"),
}

# KRA's lists and notices are asked for again when the last answer is older than this.
LISTS_MAX_AGE_HOURS = env.float("LISTS_MAX_AGE_HOURS", default=6.0)

# --- Outbox ------------------------------------------------------------------------------------
OUTBOX_KINDS = {
    "sale": "sales.messages.SaleMessage",
    "item": "items.messages.ItemMessage",
    "item_composition": "items.messages.ItemCompositionMessage",
    "import_update": "items.messages.ImportUpdateMessage",
    "stock_movement": "items.messages.StockMovementMessage",
    "stock_level": "items.messages.StockLevelMessage",
    "purchase": "purchases.messages.PurchaseMessage",
    "customer": "sales.registers.messages.CustomerMessage",
    "branch_user": "sales.registers.messages.BranchUserMessage",
    "insurance": "sales.registers.messages.InsuranceMessage",
}
# A lane's lease outlives one call; after a worker's death its lanes move again within it.
OUTBOX_LEASE_MARGIN = env.float("OUTBOX_LEASE_MARGIN", default=5.0)
# A lane gives its worker to others after this long, so that one long backlog starves nobody.
OUTBOX_SLICE_SECONDS = env.float("OUTBOX_SLICE_SECONDS", default=10.0)
OUTBOX_BACKOFF_BASE = env.float("OUTBOX_BACKOFF_BASE", default=2.0)
OUTBOX_BACKOFF_CAP = env.float("OUTBOX_BACKOFF_CAP", default=900.0)
OUTBOX_BREAKER_THRESHOLD = env.int("OUTBOX_BREAKER_THRESHOLD", default=5)
OUTBOX_BREAKER_COOLDOWN = env.float("OUTBOX_BREAKER_COOLDOWN", default=15.0)
# After an outage this many lanes a second begin to drain.
OUTBOX_RAMP_LANES_PER_SECOND = env.float("OUTBOX_RAMP_LANES_PER_SECOND", default=20.0)

# --- Sales -------------------------------------------------------------------------------------
SALES_WAIT_DEFAULT = env.float("SALES_WAIT_DEFAULT", default=0.0)
SALES_WAIT_MAX = 30.0
SALES_MAX_AGE_DAYS = env.int("SALES_MAX_AGE_DAYS", default=31)
SALES_DEADLINE_HOURS = env.int("SALES_DEADLINE_HOURS", default=24)
SALES_CLOCK_SKEW_SECONDS = 300
# Yesterday's books are compared with KRA's from this hour in Nairobi, and so are days missed.
RECONCILE_FROM_HOUR = env.int("RECONCILE_FROM_HOUR", default=2)
RECONCILE_CATCH_UP_DAYS = env.int("RECONCILE_CATCH_UP_DAYS", default=3)
RECONCILE_SLICE_SECONDS = env.float("RECONCILE_SLICE_SECONDS", default=240.0)
# What a report takes from apps that sales may not import, by dotted path; empty: left out.
REPORT_PURCHASES = "purchases.reporting.confirmed_sums"
REPORT_JOURNAL_CHECKPOINT = "monitoring.journal.checkpoints.journal_checkpoint"
# PINs of the companies whose days are closed every night; what a person closed stays as it is.
Z_NIGHTLY_COMPANIES = env.list("Z_NIGHTLY_COMPANIES", default=[])

# --- Receipts ----------------------------------------------------------------------------------
# "raster" prints the QR code as a picture, which every printer can; "native" leaves it to the
# printer, which is quicker.
ESCPOS_QR = env.str("ESCPOS_QR", default="raster")
# Of 80 mm printers: 48 on most, 42 on some.
ESCPOS_COLUMNS_80 = env.int("ESCPOS_COLUMNS_80", default=48)
ESCPOS_CUT = env.bool("ESCPOS_CUT", default=True)
# Without an address of a mail server, e.g. smtp+tls://user:password@mail.example.com:587, receipts
# are not mailed.
EMAIL_URL = env.str("EMAIL_URL", default="")
if EMAIL_URL:
    vars().update(env.email_url("EMAIL_URL"))
EMAIL_TIMEOUT = env.float("EMAIL_TIMEOUT", default=20.0)
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="")
# True: the mail may carry the original, where nothing was printed before. A till that prints wants
# its paper to be the original.
EMAIL_RECEIPT_ORIGINAL = env.bool("EMAIL_RECEIPT_ORIGINAL", default=False)
EMAIL_RECEIPTS_PER_HOUR = env.int("EMAIL_RECEIPTS_PER_HOUR", default=5)
EMAIL_ADDRESS_PER_HOUR = env.int("EMAIL_ADDRESS_PER_HOUR", default=20)

# --- Stock -------------------------------------------------------------------------------------
# True: a movement booked by hand, or a transfer, may take more than there is.
STOCK_ALLOW_NEGATIVE = env.bool("STOCK_ALLOW_NEGATIVE", default=False)
# How long KRA's word on a buyer's PIN is passed on without asking again.
PIN_LOOKUP_CACHE_SECONDS = env.float("PIN_LOOKUP_CACHE_SECONDS", default=600.0)
PIN_UNKNOWN_CACHE_SECONDS = env.float("PIN_UNKNOWN_CACHE_SECONDS", default=60.0)

# --- API ---------------------------------------------------------------------------------------
# A catalogue of 5,000 rows fits into 4 MB; everything else is refused above 1 MB (core/api.py).
DATA_UPLOAD_MAX_MEMORY_SIZE = 4 * 1_048_576
API_RATE_LIMIT = env.str("API_RATE_LIMIT", default="6000/minute")
# Wrong tokens from one address.
API_WRONG_TOKEN_LIMIT = env.str("API_WRONG_TOKEN_LIMIT", default="30/minute")
API_TOKEN_CACHE_SECONDS = env.float("API_TOKEN_CACHE_SECONDS", default=15.0)
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["companies.authentication.TokenAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["companies.permissions.HasScope"],
    "DEFAULT_RENDERER_CLASSES": ["core.api.JSONRenderer"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "core.api.Negotiation",
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_PAGINATION_CLASS": "core.api.CursorPagination",
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_THROTTLE_CLASSES": ["companies.throttling.TokenThrottle"],
    "DEFAULT_SCHEMA_CLASS": "etims_integration.openapi.Operation",
    "EXCEPTION_HANDLER": "core.api.exception_handler",
    "UNAUTHENTICATED_USER": None,
    # How many proxies of ours stand before us: whom X-Forwarded-For is believed. None by default.
    "NUM_PROXIES": env.int("NUM_PROXIES", default=0),
}
SPECTACULAR_SETTINGS = {
    "TITLE": "eTIMS integration",
    "DESCRIPTION": "Post sales; get KRA's signature. Money is a string with two decimals.",
    "VERSION": "0.1.0",
    "OAS_VERSION": "3.1.0",
    "SCHEMA_PATH_PREFIX": r"/api/",
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "etims_integration.openapi.add_examples",
    ],
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "SERVE_AUTHENTICATION": [],
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
}

# --- People ------------------------------------------------------------------------------------
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
] + [
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 12},
    }
]
# Memory-hard first; older hashes are renewed at the next login.
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.ScryptPasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
# Wrong passwords are counted per name and address; the address as the API's limits see it.
AXES_FAILURE_LIMIT = env.int("LOGIN_FAILURE_LIMIT", default=5)
AXES_COOLOFF_TIME = timedelta(minutes=env.float("LOGIN_COOLOFF_MINUTES", default=15.0))
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_CLIENT_IP_CALLABLE = "core.middleware.client_address"
AXES_LOCKOUT_TEMPLATE = "monitoring/admin/locked.html"
AXES_RESET_ON_SUCCESS = True
AXES_DISABLE_ACCESS_LOG = True
AXES_ENABLE_ADMIN = False
AXES_VERBOSE = False
TWO_FACTOR_PATCH_ADMIN = False
OTP_TOTP_ISSUER = env.str("OTP_TOTP_ISSUER", default="eTIMS integration")
LOGIN_URL = "two_factor:login"
LOGIN_REDIRECT_URL = "/admin/"
# A working day; who stays longer signs in again.
SESSION_COOKIE_AGE = env.int("SESSION_COOKIE_AGE", default=8 * 3600)
# Staff show a second factor. Switched off for the demo only.
ADMIN_TWO_FACTOR = env.bool("ADMIN_TWO_FACTOR", default=True)
# What waits for a second person is forgotten after this long.
ADMIN_REQUEST_HOURS = env.float("ADMIN_REQUEST_HOURS", default=24.0)
LANGUAGE_CODE = "en"
USE_I18N = True
FORMAT_MODULE_PATH = ["core.formats"]
USE_TZ = True
TIME_ZONE = "Africa/Nairobi"

UNFOLD = {
    "SITE_TITLE": "eTIMS integration",
    "SITE_HEADER": "eTIMS integration",
    "SITE_URL": "/admin/",
    "SHOW_VIEW_ON_SITE": False,
    "STYLES": [lambda _: static("monitoring/admin.css")],
    "SIDEBAR": {"show_search": True},
}

# --- Web ---------------------------------------------------------------------------------------
STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if env.bool("STATIC_MANIFEST", default=False)
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}
# Without collectstatic (plain runserver, tests) static files are found in the packages.
WHITENOISE_USE_FINDERS = not STATIC_ROOT.exists()
if PUBLIC_URL.startswith("https://"):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", default=True)
    SECURE_REDIRECT_EXEMPT = [r"^health/", r"^metrics"]
    SECURE_HSTS_SECONDS = env.int("SECURE_HSTS_SECONDS", default=31_536_000)
    SESSION_COOKIE_SECURE = True
    CSRF_COOKIE_SECURE = True
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [csp.NONE],
        "script-src": [csp.SELF, csp.NONCE],
        # Our own pages carry their few rules with them.
        "style-src": [csp.SELF, csp.UNSAFE_INLINE],
        "img-src": [csp.SELF, "data:"],
        "connect-src": [csp.SELF],
        "font-src": [csp.SELF],
        "form-action": [csp.SELF],
        "base-uri": [csp.NONE],
        "frame-ancestors": [csp.NONE],
        "object-src": [csp.NONE],
    }
}
# The first that fits replaces directives of the above.
CSP_BY_PREFIX = [
    # Signing in has no scripts at all.
    ("/admin/account/", {"script-src": [csp.NONE]}),
    # The theme's Alpine.js reads expressions from attributes; no inline script is let in.
    ("/admin/", {"script-src": [csp.SELF, csp.UNSAFE_EVAL]}),
]
X_FRAME_OPTIONS = "DENY"
# BrowserPolicy sets that header. The browsable schema is public, the admin's own pages carry
# everything else.
SILENCED_SYSTEM_CHECKS = ["security.W002", "security.W005", "security.W021"]

# --- Monitoring --------------------------------------------------------------------------------
from etims_integration.settings_monitoring import *  # noqa: E402, F403

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"context": {"()": "core.logs.ContextFilter"}},
    "formatters": {"json": {"()": "core.logs.JSONFormatter"}},
    "handlers": {
        "stdout": {
            "class": "logging.StreamHandler",
            "stream": "ext://sys.stdout",
            "filters": ["context"],
            "formatter": "json",
        },
    },
    # At DEBUG it writes whole addresses, and those of hooks are their keys.
    "loggers": {
        "urllib3": {"level": "INFO"},
        # Two lines a task say nothing that the attempt's own line does not.
        "celery.app.trace": {"level": "WARNING"},
        "celery.worker.strategy": {"level": "WARNING"},
    },
    "root": {"handlers": ["stdout"], "level": env.str("LOG_LEVEL", default="INFO")},
}
