"""Settings of the whole system. Every configurable value is read from the environment; the README lists them.

The readers are typed: an invalid value stops the start with a message instead of being guessed.
"""

import os
import tomllib
from importlib.util import find_spec
from pathlib import Path

import django_stubs_ext
import environ

from temperature_site.conf.accounts import PASSWORD_VALIDATORS, allauth_settings
from temperature_site.conf.environment import MAX_DAYS, MAX_STATEMENT, MAX_TIME, Environment, refuse_unsafe
from temperature_site.conf.logging import logging_settings
from temperature_site.conf.memory import return_memory_early
from temperature_site.conf.rest_api import DRF_SETTINGS, spectacular_settings
from temperature_site.conf.secret_key import secret_key
from temperature_site.conf.services import REPLICA_ALIAS, archive_storage_settings, database_settings, mail_settings
from temperature_site.dev import folder_broker

return_memory_early()
# Lets Django's generic classes be subscripted in type hints at run time.
django_stubs_ext.monkeypatch()

BASE_DIR = Path(__file__).resolve().parent.parent
# Reported by /health and the OpenAPI document.
VERSION: str = tomllib.loads((BASE_DIR / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]

environ.Env.read_env(BASE_DIR / ".env")
env = Environment(os.environ)

MAX_PORT = 65_535
BROKER_SCHEMES = ("amqp", "amqps", "pyamqp", "folder")
BROKER_EXAMPLE = "amqp://user:password@host:5672/vhost"

DATA_DIR = Path(env.text("DATA_DIR", default=str(BASE_DIR / "data"))).expanduser().resolve()
DATABASE_URL = env.text("DATABASE_URL")
DEBUG = env.boolean("DEBUG", default=False)
# The demo: its fictional customers are polled on this machine and a missing signing key is created.
DEMO = env.boolean("DEMO", default=not DATABASE_URL)
PORT = env.whole_number("PORT", default=8000, min_value=1, max_value=MAX_PORT)
SIMULATOR_PORT = env.whole_number("SIMULATOR_PORT", default=8001, min_value=1, max_value=MAX_PORT)

SECRET_KEY = secret_key(env.text("SECRET_KEY"), DATA_DIR, may_create=DEMO)
SECRET_KEY_FALLBACKS = env.names("SECRET_KEY_FALLBACKS")
ALLOWED_HOSTS = env.names("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
refuse_unsafe(is_demo=DEMO, debug=DEBUG, allowed_hosts=ALLOWED_HOSTS)
CSRF_TRUSTED_ORIGINS = env.names("CSRF_TRUSTED_ORIGINS")

INSTALLED_APPS = [
    "temperature_site.admin.apps.AdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_celery_beat",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "allauth.usersessions",
    "audit",
    "customers",
    "readings",
    "seals",
    "alarms",
    "ingestion",
    "simulator",
    "temperature_site",
]

MIDDLEWARE = [
    "temperature_site.middleware.http_metrics.HttpMetricsMiddleware",
    "temperature_site.middleware.probes.ProbeMiddleware",
    "temperature_site.middleware.permissions_policy.PermissionsPolicyMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "temperature_site.middleware.csp.PathPolicyMiddleware",
    "temperature_site.forwarded_headers.ForwardedHeadersMiddleware",
    "temperature_site.middleware.uuid_paths.UuidPathsMiddleware",
    "django.middleware.gzip.GZipMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "temperature_site.middleware.nul_characters.NulCharactersMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "customers.access.token_sessions.TokenSessionMiddleware",
    "customers.access.audit_actor.AuditActorMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    # Sets two attributes per request, 2 microseconds; allauth requires it in this list.
    "allauth.account.middleware.AccountMiddleware",
]

# Installed with `make install-dev` only.
HAS_DEBUG_TOOLBAR = DEBUG and find_spec("debug_toolbar") is not None
if HAS_DEBUG_TOOLBAR:
    INSTALLED_APPS.append("debug_toolbar")
    MIDDLEWARE.insert(0, "debug_toolbar.middleware.DebugToolbarMiddleware")
    INTERNAL_IPS = ["127.0.0.1", "::1"]

ROOT_URLCONF = "temperature_site.urls"
WSGI_APPLICATION = "temperature_site.wsgi.application"

TEMPLATES: list[dict[str, object]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

# Database

# Behind PgBouncer in transaction mode neither a named cursor nor a prepared statement outlives its transaction.
PGBOUNCER = env.boolean("PGBOUNCER", default=False)
CONNECTION_MAX_AGE = env.whole_number("CONNECTION_MAX_AGE", default=60)
DATABASES = {"default": database_settings(DATABASE_URL, max_age=CONNECTION_MAX_AGE, behind_pgbouncer=PGBOUNCER)}
# A streaming replica that lists, charts and reports are read from while it lags no more than this.
DATABASE_REPLICA_URL = env.text("DATABASE_REPLICA_URL")
REPLICA_MAX_LAG_SECONDS = env.whole_number("REPLICA_MAX_LAG_SECONDS", default=5, min_value=1)
if DATABASE_REPLICA_URL:
    DATABASES[REPLICA_ALIAS] = database_settings(
        DATABASE_REPLICA_URL, max_age=CONNECTION_MAX_AGE, behind_pgbouncer=PGBOUNCER, is_replica=True
    )
    DATABASE_ROUTERS = ["core.db.replica.ReplicaRouter"]
    MIDDLEWARE.insert(
        MIDDLEWARE.index("django.contrib.sessions.middleware.SessionMiddleware"),
        "temperature_site.middleware.replica.ReadYourWritesMiddleware",
    )
# The longest statement of a web process; the server ends it then.
WEB_STATEMENT_SECONDS = env.whole_number("WEB_STATEMENT_SECONDS", default=60, min_value=1, max_value=MAX_STATEMENT)
# Shared by all processes: a code of an authenticator app must not work a second time in another one.
CACHES = {"default": {"BACKEND": "django.core.cache.backends.db.DatabaseCache", "LOCATION": "cache_entry"}}
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"

# People

AUTHENTICATION_BACKENDS = ["customers.access.auth_backend.AccountBackend"]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "overview"
LOGOUT_REDIRECT_URL = "login"
# How long the link of an invitation is valid, and the link to set a password.
INVITATION_SECONDS = env.whole_number("INVITATION_SECONDS", default=7 * 24 * 3600, min_value=1, max_value=MAX_TIME)
PASSWORD_RESET_TIMEOUT = env.whole_number("PASSWORD_LINK_SECONDS", default=86_400, min_value=1, max_value=MAX_TIME)
AUTH_PASSWORD_VALIDATORS = PASSWORD_VALIDATORS
# A file with the SHA-1 hashes of breached passwords in order, one a line; none are compared without it.
BREACHED_PASSWORDS_FILE = env.text("BREACHED_PASSWORDS_FILE")
# The operator's staff see every customer: without a second factor they have no access.
STAFF_SECOND_FACTOR = env.boolean("STAFF_SECOND_FACTOR", default=not DEMO)
# Whether every member needs one, whatever their customer requires.
MEMBER_SECOND_FACTOR = env.boolean("MEMBER_SECOND_FACTOR", default=False)
# An OpenID Connect provider that people may sign in through, and the domains of the addresses that it vouches for.
OIDC_ISSUER = env.url(
    "OIDC_ISSUER", ("https", "http") if DEMO or DEBUG else ("https",), example="https://id.example.com/realms/cold"
)
OIDC_CLIENT_ID = env.text("OIDC_CLIENT_ID")
OIDC_NAME = env.text("OIDC_NAME", default="single sign-on")
OIDC_DOMAINS = env.names("OIDC_DOMAINS")
globals().update(
    allauth_settings(
        issuer=OIDC_ISSUER,
        client_id=OIDC_CLIENT_ID,
        client_secret=env.text("OIDC_CLIENT_SECRET"),
        name=OIDC_NAME,
        is_insecure_origin_allowed=DEMO or DEBUG,
    )
)

# Transport security: one switch, to be set once the site is served through HTTPS.
HTTPS = env.boolean("HTTPS", default=False)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SECURE_SSL_REDIRECT = HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
SECURE_HSTS_SECONDS = env.whole_number("HSTS_SECONDS", default=31_536_000 if HTTPS else 0)
# Load balancers' probes and Prometheus connect to the process directly through HTTP.
SECURE_REDIRECT_EXEMPT = [r"^(ping|live|ready|health)/?$", r"^metrics/?$"]
# Hosts below this one are bound to HTTPS, too, and browsers may list it: for the owner of the domain to decide.
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = env.boolean("HSTS_SUBDOMAINS", default=False)
SECURE_REFERRER_POLICY = "same-origin"
# The number of proxies in front that each append the client's address to X-Forwarded-For; 0 trusts none.
PROXY_COUNT = env.whole_number("PROXY_COUNT", default=0)
# A person who has done nothing for this long is signed out; pages that refresh themselves do not count.
SESSION_IDLE_SECONDS = env.whole_number("SESSION_IDLE_SECONDS", default=12 * 3600, min_value=1, max_value=MAX_TIME)
SESSION_COOKIE_AGE = env.whole_number("SESSION_SECONDS", default=14 * 24 * 3600, min_value=1, max_value=MAX_TIME)
X_FRAME_OPTIONS = "DENY"
# Bootstrap's style sheet embeds small images as data: URLs.
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "object-src": ["'none'"],
        "base-uri": ["'self'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
    }
}

# Language, time, static files

LANGUAGE_CODE = "en-gb"
TIME_ZONE = "UTC"
USE_TZ = True

STATIC_URL = "static/"
STATIC_ROOT = DATA_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
    # Of archived readings: any storage of django-storages, with its options as JSON. See docs/archive.md.
    "archive": archive_storage_settings(
        env.text("ARCHIVE_STORAGE"), env.text("ARCHIVE_OPTIONS"), env.text("ARCHIVE_DIR"), DATA_DIR
    ),
}

# The REST API

REST_FRAMEWORK = DRF_SETTINGS
SPECTACULAR_SETTINGS = spectacular_settings(VERSION)
# A longer push is rolled back.
PUSH_SECONDS = env.whole_number("PUSH_SECONDS", default=60, min_value=1, max_value=MAX_STATEMENT)
# The largest body of POST /api/v1/temperature/bulk, compressed or not.
BULK_MAX_BYTES = env.whole_number("BULK_MAX_BYTES", default=16 * 1024 * 1024, min_value=1)

# The ports of customers' systems and of webhooks, as numbers or ranges such as 8000-8010.
OUTGOING_PORTS = env.names("OUTGOING_PORTS", default=["1-65535"] if DEMO else ["80", "443"])

# Polling customers' systems

SOURCE_ALLOWED_NETWORKS = env.names("SOURCE_ALLOWED_NETWORKS", default=["127.0.0.0/8", "::1/128"] if DEMO else [])
SOURCE_CONNECT_SECONDS = env.seconds("SOURCE_CONNECT_SECONDS", default=5.0)
SOURCE_READ_SECONDS = env.seconds("SOURCE_READ_SECONDS", default=15.0)
SOURCE_TOTAL_SECONDS = env.seconds("SOURCE_TOTAL_SECONDS", default=30.0)
SOURCE_MAX_BYTES = env.whole_number("SOURCE_MAX_BYTES", default=64 * 1024 * 1024, min_value=1)
SOURCE_MAX_ROWS = env.whole_number("SOURCE_MAX_ROWS", default=1_000_000, min_value=1)
# The largest file that people import in the dashboard, decompressed.
IMPORT_MAX_BYTES = env.whole_number("IMPORT_MAX_BYTES", default=64 * 1024 * 1024, min_value=1)
# Folders of this machine below which sources may read files; none by default.
SOURCE_FOLDERS = env.names("SOURCE_FOLDERS", default=[])
SOURCE_MAX_REDIRECTS = env.whole_number("SOURCE_MAX_REDIRECTS", default=5)
SOURCE_CREDENTIALS_KEYS = env.names("SOURCE_CREDENTIALS_KEYS")

# A poll is asked to end, then killed: soft < hard. Meanwhile it renews its lease.
POLL_SOFT_SECONDS = env.whole_number("POLL_SOFT_SECONDS", default=60, min_value=1)
POLL_HARD_SECONDS = env.whole_number("POLL_HARD_SECONDS", default=75, min_value=1)
# Beyond this, a sensor's clock raises an alarm.
MAX_CLOCK_DRIFT_SECONDS = env.whole_number("MAX_CLOCK_DRIFT_SECONDS", default=300, min_value=1)
# How long a source waits for a worker before another message is sent for it.
POLL_LEASE_SECONDS = env.whole_number("POLL_LEASE_SECONDS", default=30, min_value=1, max_value=MAX_TIME)

# How long records are kept that are no readings; 0 keeps them for ever.
DELIVERY_RETENTION_DAYS = env.whole_number("DELIVERY_RETENTION_DAYS", default=400, max_value=MAX_DAYS)
REJECTED_ROW_RETENTION_DAYS = env.whole_number("REJECTED_ROW_RETENTION_DAYS", default=400, max_value=MAX_DAYS)
MESSAGE_RETENTION_DAYS = env.whole_number("MESSAGE_RETENTION_DAYS", default=400, max_value=MAX_DAYS)

# Time stamps of seals

# An RFC 3161 service; empty for none. TIME_STAMP_CA is a PEM file of the certificates by which its stamps are checked.
TIME_STAMP_URL = env.url("TIME_STAMP_URL", ("https", "http"), example="https://tsa.example.org")
TIME_STAMP_CA = env.text("TIME_STAMP_CA")

# Notifications

# The public address of the site, such as https://cold.example.com, for links in messages; empty for no links.
SITE_URL = env.url(
    "SITE_URL",
    ("https", "http"),
    default=f"http://localhost:{PORT}" if DEMO else "",
    example="https://cold.example.com",
)
NOTIFICATION_ALLOWED_NETWORKS = env.names(
    "NOTIFICATION_ALLOWED_NETWORKS", default=["127.0.0.0/8", "::1/128"] if DEMO else []
)
# An attempt times out after the first, and its worker is killed ten seconds later; the second is how long a message
# waits for a worker before it is claimed again.
NOTIFICATION_TOTAL_SECONDS = env.seconds("NOTIFICATION_TOTAL_SECONDS", default=15.0)
NOTIFICATION_LEASE_SECONDS = env.whole_number("NOTIFICATION_LEASE_SECONDS", default=30, min_value=1, max_value=MAX_TIME)
# How many messages of failing and slow channels are sent at once: fewer than `message-worker` has processes.
NOTIFICATION_SLOW_AT_ONCE = env.whole_number("NOTIFICATION_SLOW_AT_ONCE", default=2, min_value=1)

# Without it no mail is sent, and e-mail channels say so.
EMAIL_URL = env.text("EMAIL_URL")
globals().update(mail_settings(EMAIL_URL))
EMAIL_TIMEOUT = NOTIFICATION_TOTAL_SECONDS
DEFAULT_FROM_EMAIL = env.text("DEFAULT_FROM_EMAIL", default="temperature-monitoring@localhost")
SERVER_EMAIL = DEFAULT_FROM_EMAIL

# Processes

# Where gunicorn listens: on this machine only by default.
BIND = env.text("BIND", default="127.0.0.1")
WEB_WORKERS = env.whole_number("WEB_WORKERS", default=2, min_value=1)
WEB_THREADS = env.whole_number("WEB_THREADS", default=4, min_value=1)
WORKER_CONCURRENCY = env.whole_number("WORKER_CONCURRENCY", default=4, min_value=1)

# Celery: a message is a wake-up call that holds ids only; PostgreSQL is the source of truth.

CELERY_BROKER_URL = (
    env.url("CELERY_BROKER_URL", BROKER_SCHEMES, example=BROKER_EXAMPLE, separator=";") or folder_broker.BROKER_URL
)
CELERY_BROKER_TRANSPORT_OPTIONS = (
    folder_broker.transport_options(DATA_DIR / "broker")
    if CELERY_BROKER_URL == folder_broker.BROKER_URL
    else {"confirm_publish": True}
)
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
# Separates systems that share a broker; the Procfile's workers read it as well.
CELERY_TASK_DEFAULT_QUEUE = env.text("CELERY_QUEUE", default="temperature")
# Failing and slow sources are polled by separate workers, so that they cannot delay others.
SLOW_QUEUE = f"{CELERY_TASK_DEFAULT_QUEUE}.slow"
# Messages of alarms, and what creates them, do not wait behind sources.
MESSAGE_QUEUE = f"{CELERY_TASK_DEFAULT_QUEUE}.messages"
# Classic durable queues on one RabbitMQ node, quorum queues on three. A queue keeps the type it was declared with.
CELERY_TASK_DEFAULT_QUEUE_TYPE = env.choice("CELERY_QUEUE_TYPE", ("classic", "quorum"), default="classic")
# The other queues, which are declared when they are first named.
CELERY_TASK_CREATE_MISSING_QUEUE_TYPE = CELERY_TASK_DEFAULT_QUEUE_TYPE
CELERY_TASK_SERIALIZER = CELERY_EVENT_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
# A task that kills its process is not redelivered at once: the lease of its claim expires first.
CELERY_TASK_REJECT_ON_WORKER_LOST = False
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_CONCURRENCY = WORKER_CONCURRENCY
CELERY_WORKER_MAX_TASKS_PER_CHILD = 1000
# Celery closes the database connection after every task unless told to keep it for some; `temperature_site.celery`
# closes it by Django's rules instead, for as long as a child lives.
CELERY_DB_REUSE_MAX = CELERY_WORKER_MAX_TASKS_PER_CHILD
# With the folder broker, replies to workers that have exited would pile up.
CELERY_WORKER_ENABLE_REMOTE_CONTROL = CELERY_BROKER_URL != folder_broker.BROKER_URL
CELERY_TASK_SOFT_TIME_LIMIT = POLL_SOFT_SECONDS
CELERY_TASK_TIME_LIMIT = POLL_HARD_SECONDS
# A sender gives up after about a second; the work is still due at the next tick.
CELERY_TASK_PUBLISH_RETRY_POLICY = {"max_retries": 3, "interval_start": 0, "interval_step": 0.2, "interval_max": 0.5}
CELERY_TIMEZONE = TIME_ZONE
CELERY_BEAT_SCHEDULER = "temperature_site.beat:ClockSafeScheduler"
# How long beat may take to notice a change made in the admin.
CELERY_BEAT_MAX_LOOP_INTERVAL = 2
# Beat saves what it sent at once: the health check reads it from the database.
CELERY_BEAT_SYNC_EVERY = 1
# After how long without a heartbeat beat, or a queue's workers, count as stopped.
HEALTH_SILENT_SECONDS = env.whole_number("HEALTH_SILENT_SECONDS", default=45, min_value=1, max_value=MAX_TIME)
CELERY_TASK_ROUTES = {
    "temperature_site.tasks.note_slow_heartbeat": {"queue": SLOW_QUEUE},
    "readings.tasks.archive_readings": {"queue": SLOW_QUEUE},
    "temperature_site.tasks.note_message_heartbeat": {"queue": MESSAGE_QUEUE},
    "alarms.tasks.send_due_messages": {"queue": MESSAGE_QUEUE},
    "alarms.tasks.remind": {"queue": MESSAGE_QUEUE},
    "ingestion.tasks.watch": {"queue": MESSAGE_QUEUE},
}

# Who may read /metrics besides the operator: whoever sends this token, and these networks. In the demo everybody.
METRICS_TOKEN = env.text("METRICS_TOKEN")
METRICS_NETWORKS = env.names("METRICS_NETWORKS")

# The operator's own channel for problems of the system itself, and a dead man's switch that is called each minute.
OPERATOR_EMAIL = env.names("OPERATOR_EMAIL")
OPERATOR_WEBHOOK_URL = env.url("OPERATOR_WEBHOOK_URL", ("https", "http"), example="https://hooks.example.com/x")
HEARTBEAT_URL = env.url("HEARTBEAT_URL", ("https", "http"), example="https://hc-ping.example.com/uuid")
# How old the newest backup may be, in hours, before the operator is warned; 0 if backups are taken in another way.
BACKUP_HOURS = env.whole_number("BACKUP_HOURS", default=26, max_value=24 * MAX_DAYS)

# The collector that receives traces, without the path `/v1/traces`, and the name they are found under there.
# OpenTelemetry's own variables apply as well.
OTEL_EXPORTER_OTLP_ENDPOINT = env.url(
    "OTEL_EXPORTER_OTLP_ENDPOINT", ("https", "http"), example="http://collector.internal:4318"
)
OTEL_SERVICE_NAME = env.text("OTEL_SERVICE_NAME", default="temperature-monitoring")

# Logs

LOG_FORMAT = env.text("LOG_FORMAT", default="console" if DEMO else "json")
LOG_LEVEL = env.text("LOG_LEVEL", default="INFO").upper()
LOGGING = logging_settings(LOG_FORMAT, LOG_LEVEL)

# Variables that are no settings but are named much like one, with that one; a check points them out.
MISSPELLED_SETTINGS = tuple(env.misspellings())
# Where the settings were read from; `temperature_site.conf.recorded_settings` records changes of them.
ENVIRONMENT = env
