"""Settings, all from environment variables; every variable is described in ``docs/settings.md``."""

from pathlib import Path

import environ

from .home import prepare_home, read_keys

env = environ.Env()
BASE_DIR = Path(__file__).resolve().parent.parent

# --- State of this installation ------------------------------------------------------------------------------------
SIAM_HOME = prepare_home(Path(env.str("SIAM_HOME", default=str(BASE_DIR / "var"))).resolve())
_keys = read_keys(SIAM_HOME)
SECRET_KEY = env.str("SECRET_KEY", default=_keys.signing)
SIAM_KEY_RING = env.list("SIAM_KEY_RING", default=_keys.ring)
SIAM_UPLOADS = SIAM_HOME / "uploads"
SIAM_OUTBOUND_ALLOW = env.list("SIAM_OUTBOUND_ALLOW", default=[])
SIAM_LARGEST_ATTACHMENT = env.int("SIAM_LARGEST_ATTACHMENT", default=50 * 1024 * 1024)
SIAM_PUBLIC_ADDRESS = env.str("SIAM_PUBLIC_ADDRESS", default="http://127.0.0.1:8000")

# --- Who may reach it ----------------------------------------------------------------------------------------------
DEBUG = env.bool("DEBUG", default=False)
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
_https = env.bool("SIAM_HTTPS", default=False)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = _https
SECURE_HSTS_SECONDS = env.int("SIAM_HSTS_SECONDS", default=31_536_000 if _https else 0)
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = _https
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
# Load balancers ask inside the network, without TLS.
SECURE_REDIRECT_EXEMPT = ["^health/$"]
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"

# --- Apps, lowest last (design 2) ----------------------------------------------------------------------------------
INSTALLED_APPS = [
    "siamportal",
    "apps.sync",
    "apps.tickets",
    "apps.ecosystem",
    "apps.accounts",
    "apps.access",
    "apps.foundation",
    "apps.sandbox",
    "whitenoise.runserver_nostatic",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "guardian",
    "simple_history",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_htmx",
    "django_cotton.apps.SimpleAppConfig",
    "template_partials.apps.SimpleAppConfig",
    "lucide",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "apps.ecosystem.middleware.PrincipalMiddleware",
    "simple_history.middleware.HistoryRequestMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "apps.foundation.browser.PolicyMiddleware",
    "apps.accounts.middleware.TimeZoneMiddleware",
]
ROOT_URLCONF = "siamportal.urls"
WSGI_APPLICATION = "siamportal.wsgi.application"

# --- Templates -----------------------------------------------------------------------------------------------------
# cotton and template-partials both rewrite the loaders at start-up and the later one wins; set by hand, both work.
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "OPTIONS": {
            "loaders": [
                (
                    "template_partials.loader.Loader",
                    [
                        (
                            "django.template.loaders.cached.Loader",
                            [
                                "django_cotton.cotton_loader.Loader",
                                "django.template.loaders.filesystem.Loader",
                                "django.template.loaders.app_directories.Loader",
                            ],
                        )
                    ],
                )
            ],
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "apps.ecosystem.context.who_is_here",
            ],
            "builtins": [
                "django_cotton.templatetags.cotton",
                "template_partials.templatetags.partials",
                "lucide.templatetags.lucide",
            ],
        },
    }
]
COTTON_DIR = "components"

# --- Data ----------------------------------------------------------------------------------------------------------
DATABASES = {"default": env.db_url("DATABASE_URL", default=f"sqlite:///{SIAM_HOME / 'portal.sqlite3'}")}
_is_sqlite = DATABASES["default"]["ENGINE"].endswith("sqlite3")
if _is_sqlite:
    # An in-memory test database answers a second thread with "table is locked"; a file behaves as in production.
    DATABASES["default"]["TEST"] = {"NAME": str(SIAM_HOME / "test.sqlite3")}
    DATABASES["default"]["ENGINE"] = "siamportal.sqlite"
    # FULL: with NORMAL a power cut takes the last commits, and an intent must be there before its call (INV-12).
    # With deferred transactions 114 of 200 concurrent tasks failed when measured; with IMMEDIATE none did.
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 30,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
    }
else:
    DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
# Opening one for every request and task costs more than most of them ask for.
DATABASES["default"]["CONN_MAX_AGE"] = env.int("CONN_MAX_AGE", default=60)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
FIXTURE_DIRS = [BASE_DIR / "fixtures"]
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}

# --- Sign-in -------------------------------------------------------------------------------------------------------
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.ModelBackend", "guardian.backends.ObjectPermissionBackend"]
LOGIN_URL = "sign-in"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "sign-in"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
# guardian would otherwise make a row for anonymous visitors, who have no rights here at all.
ANONYMOUS_USER_NAME = None
GUARDIAN_MONKEY_PATCH_USER = False

# --- Language, time, static files ----------------------------------------------------------------------------------
LANGUAGE_CODE = "en-us"
USE_TZ = True
TIME_ZONE = "UTC"
STATIC_URL = "static/"
STATIC_ROOT = prepare_home(SIAM_HOME / "static")
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_USE_FINDERS = True
DATA_UPLOAD_MAX_MEMORY_SIZE = 5 * 1024 * 1024

# --- Background work -----------------------------------------------------------------------------------------------
BROKER_URL = env.str("BROKER_URL", default="")
SIAM_IS_EMBEDDED = not BROKER_URL
CELERY_BROKER_URL = BROKER_URL or "memory://"
CELERY_BROKER_TRANSPORT_OPTIONS = {} if BROKER_URL else {"polling_interval": 0.01}
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SERIALIZER = CELERY_RESULT_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_ACKS_LATE = False
CELERY_TASK_TIME_LIMIT = 900
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULE_FILENAME = str(SIAM_HOME / "beat-schedule")
CELERY_BEAT_SCHEDULE = {
    "work lanes": {"task": "sync.work_lanes", "schedule": env.float("SIAM_SWEEP_SECONDS", default=1.0)},
    "poll connections": {"task": "sync.poll_connections", "schedule": env.float("SIAM_POLL_SECONDS", default=5.0)},
    "compare whole tickets": {"task": "sync.compare_whole_tickets", "schedule": 60.0},
    "look for alerts": {"task": "sync.look_for_alerts", "schedule": 60.0},
    "take samples": {"task": "sync.take_samples", "schedule": 60.0},
    "prune": {"task": "sync.prune", "schedule": 3600.0},
}

SIAM_KEEP_EXCHANGES = env.int("SIAM_KEEP_EXCHANGES", default=30)

# --- Mail ----------------------------------------------------------------------------------------------------------
# Without a server named, mails are files in the portal's folder, so that none is lost unseen.
_mail = env.email_url("EMAIL_URL", default="filemail://")
EMAIL_BACKEND, EMAIL_HOST, EMAIL_PORT = _mail["EMAIL_BACKEND"], _mail["EMAIL_HOST"], _mail["EMAIL_PORT"] or 25
EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = _mail["EMAIL_HOST_USER"] or "", _mail["EMAIL_HOST_PASSWORD"] or ""
EMAIL_USE_TLS, EMAIL_USE_SSL = _mail.get("EMAIL_USE_TLS", False), _mail.get("EMAIL_USE_SSL", False)
EMAIL_FILE_PATH = str(SIAM_HOME / "mail")
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env.str("SIAM_MAIL_FROM", default="siamportal@localhost")

# --- API -----------------------------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "apps.accounts.api.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_PAGINATION_CLASS": "apps.foundation.api.Pages",
    "PAGE_SIZE": 50,
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "apps.foundation.api.answer_problem",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "siamportal API",
    "DESCRIPTION": "Organizations, tickets and the connections that keep them in step.",
    "VERSION": "1.0.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    # Five enumerations are called kind or state; each gets the name of what it is about.
    "ENUM_NAME_OVERRIDES": {
        "AccountKind": "apps.accounts.models.User.Kind",
        "TicketKind": "apps.tickets.vocabulary.Kind",
        "ConnectionState": "apps.sync.models.connection.Connection.State",
        "LinkState": "apps.sync.models.link.TicketLink.State",
        "RulesState": "apps.sync.models.rules.RulesVersion.State",
        "AlertKind": "apps.sync.models.alerting.AlertKind",
        "BrakeKind": "apps.sync.models.braking.Kind",
        "BrakeState": "apps.sync.models.braking.Brake.State",
        "BrakeChoice": "apps.sync.models.braking.BrakeAnswer.Choice",
        "GraveActStanding": "apps.sync.models.braking.GraveAct.Standing",
        "IntentState": "apps.sync.models.link.Intent.State",
        "Priority": "apps.tickets.vocabulary.Priority",
    },
}

# --- Logs ----------------------------------------------------------------------------------------------------------
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "root": {"handlers": ["console"], "level": env.str("LOG_LEVEL", default="WARNING")},
}
