"""The one settings file. Everything that differs between installations comes from the environment (docs/settings.md).

The default needs no server: SQLite and a broker made of files, all state under ANYMASK_DATA.
"""

from pathlib import Path

import dj_database_url

from config import environment as env
from config import object_store

BASE_DIR = Path(__file__).resolve().parent.parent

# --- Where all state lives ---------------------------------------------------------------------------------------
ANYMASK_DATA = Path(env.text("ANYMASK_DATA", str(BASE_DIR / "data"))).expanduser().resolve()
ANYMASK_DATA.mkdir(parents=True, exist_ok=True)

# --- Security ----------------------------------------------------------------------------------------------------
DEBUG = env.flag("DEBUG")
SECRET_KEY = env.text("SECRET_KEY", "") or env.secret_key(ANYMASK_DATA / "secret-key")
ALLOWED_HOSTS = env.words("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]")
CSRF_TRUSTED_ORIGINS = env.words("CSRF_TRUSTED_ORIGINS")
HTTPS = env.flag("ANYMASK_HTTPS")  # set behind a TLS proxy: secure cookies, HSTS, redirect
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SECURE_SSL_REDIRECT = HTTPS
SECURE_REDIRECT_EXEMPT = [r"^(healthz|readyz|metrics)$"]  # asked by machines, past the proxy
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CSRF_COOKIE_SAMESITE = SESSION_COOKIE_SAMESITE = "Lax"
# The page has no inline script. onnxruntime-web compiles WebAssembly and starts its workers from blobs.
CONTENT_SECURITY_POLICY = "; ".join(
    [
        "default-src 'self'",
        "script-src 'self' 'wasm-unsafe-eval'",
        "worker-src 'self' blob:",
        "img-src 'self' blob: data:",
        "style-src 'self'",
        "font-src 'self'",
        "connect-src 'self'",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    ]
)

# --- Limits ------------------------------------------------------------------------------------------------------
MEBIBYTE = 1024 * 1024
DATA_UPLOAD_MAX_MEMORY_SIZE = env.number("ANYMASK_MAX_BODY_MIB", 32) * MEBIBYTE  # JSON bodies: a mask can be large
DATA_UPLOAD_MAX_NUMBER_FILES = 1000
FILE_UPLOAD_MAX_MEMORY_SIZE = MEBIBYTE  # what is larger goes to disk while it arrives
FILE_UPLOAD_TEMP_DIR = ANYMASK_DATA / "incoming"
FILE_UPLOAD_TEMP_DIR.mkdir(exist_ok=True)
ANYMASK_MAX_UPLOAD_BYTES = env.number("ANYMASK_MAX_UPLOAD_MIB", 2048) * MEBIBYTE  # one request
ANYMASK_MAX_IMAGE_BYTES = env.number("ANYMASK_MAX_IMAGE_MIB", 256) * MEBIBYTE
ANYMASK_MAX_IMAGE_PIXELS = env.number("ANYMASK_MAX_IMAGE_MEGAPIXELS", 120) * 1_000_000
ANYMASK_TILE_PIXELS = env.number("ANYMASK_TILE_MEGAPIXELS", 32) * 1_000_000  # from which a picture is cut into tiles
ANYMASK_MAX_VIDEO_FRAMES = env.number("ANYMASK_MAX_VIDEO_FRAMES", 3000)  # of one video
ANYMASK_MAX_ARCHIVE_MEMBERS = env.number("ANYMASK_MAX_ARCHIVE_MEMBERS", 20_000)
ANYMASK_MAX_ARCHIVE_BYTES = env.number("ANYMASK_MAX_ARCHIVE_MIB", 8192) * MEBIBYTE  # after inflating
ANYMASK_UPLOAD_QUOTA_BYTES = env.number("ANYMASK_UPLOAD_QUOTA_MIB", 32_768) * MEBIBYTE  # of one person, on the way
ANYMASK_UPLOAD_HOURS = env.number("ANYMASK_UPLOAD_HOURS", 48)  # how long half a file is kept
ANYMASK_MIN_FREE_BYTES = env.number("ANYMASK_MIN_FREE_MIB", 1024) * MEBIBYTE  # of the disk, beside what comes in
ANYMASK_SERVER_FOLDERS = env.words("ANYMASK_SERVER_FOLDERS")
ANYMASK_S3_SOURCES = env.words("ANYMASK_S3_SOURCES")  # bucket or bucket/prefix
ANYMASK_S3_ENDPOINT = env.text("ANYMASK_S3_ENDPOINT", "")  # of stores that are not Amazon's
ANYMASK_STORE = env.text("ANYMASK_STORE", "")  # s3://bucket/prefix: where files are kept instead of on this disk
ANYMASK_STORE_ENDPOINT = env.text("ANYMASK_STORE_ENDPOINT", "")  # of stores that are not Amazon's
ANYMASK_STORE_LINK_SECONDS = env.number("ANYMASK_STORE_LINK_SECONDS", 600)  # 0: downloads come from the web processes
ANYMASK_CACHE_SECONDS = env.number("ANYMASK_CACHE_HOURS", 72) * 3600  # how long a copy stays on a disk unread
ANYMASK_URL_NETWORKS = env.words("ANYMASK_URL_NETWORKS")  # private ones that users' addresses may lead to
ANYMASK_URL_SECONDS = env.number("ANYMASK_URL_SECONDS", 300)  # for one address, redirects included
ANYMASK_BLUR_DETECTORS = env.words("ANYMASK_BLUR_DETECTORS", "annotation.ingest.faces.frontal_faces")
ANYMASK_TASK_LEASE_SECONDS = env.number("ANYMASK_TASK_LEASE_SECONDS", 600)

# --- Applications ------------------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "allauth.account",
    "allauth.socialaccount",
    "rest_framework",
    "drf_spectacular",
    "django_celery_beat",
    "annotation",
    "engine",
]
MIDDLEWARE = [
    "config.middleware.observed",
    "config.middleware.head_without_body",
    "django.middleware.security.SecurityMiddleware",
    "config.middleware.security_headers",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "annotation.api.event_log.EventLog",
]
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
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

# --- Database ----------------------------------------------------------------------------------------------------
DATABASES = {
    "default": dj_database_url.parse(
        env.text("DATABASE_URL", f"sqlite:///{ANYMASK_DATA / 'anymask.sqlite3'}"),
        conn_max_age=env.number("ANYMASK_CONNECTION_SECONDS", 60),
        conn_health_checks=True,
    )
}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # With the defaults a third of concurrent writes fail at once; with these none did in 10 000.
    DATABASES["default"]["ENGINE"] = "config.sqlite"
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
    }
    # A file, not memory: threads in tests must meet the same locks as threads in production.
    DATABASES["default"]["TEST"] = {"NAME": str(ANYMASK_DATA / "test.sqlite3")}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Files -------------------------------------------------------------------------------------------------------
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
if ANYMASK_STORE:
    STORAGES["files"] = object_store.storage_of(ANYMASK_STORE, ANYMASK_STORE_ENDPOINT)

# --- Sign-in -----------------------------------------------------------------------------------------------------
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
SESSION_COOKIE_AGE = 60 * 60 * 24 * 30
# Through an OpenID Connect provider (annotation.api.oidc): off without an issuer.
ANYMASK_OIDC_ISSUER = env.text("ANYMASK_OIDC_ISSUER", "")
ANYMASK_OIDC_CLIENT_ID = env.text("ANYMASK_OIDC_CLIENT_ID", "")
ANYMASK_OIDC_CLIENT_SECRET = env.text("ANYMASK_OIDC_CLIENT_SECRET", "")
ANYMASK_OIDC_NAME = env.text("ANYMASK_OIDC_NAME", "your organisation")  # on the button: Sign in with ...
ANYMASK_OIDC_NEW_PEOPLE = env.text("ANYMASK_OIDC_NEW_PEOPLE", "invited")  # or anyone whom the provider knows
SOCIALACCOUNT_ADAPTER = "annotation.api.oidc.Hooks"
ACCOUNT_EMAIL_VERIFICATION = "none"  # this product sends no mail
CACHES = {
    "default": {
        # The table keeps sign-in throttling true across web processes without another server.
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "anymask_cache",
    }
}

# --- API ---------------------------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        # The first one decides the answer to an unknown caller: 401 with a challenge, not 403.
        "annotation.api.tokens.ApiTokenAuthentication",
        "annotation.api.page_sessions.PageSessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_PARSER_CLASSES": ["annotation.api.http.StrictJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PAGINATION_CLASS": "annotation.api.http.CursorPages",
    "DEFAULT_SCHEMA_CLASS": "annotation.api.schema.Schema",
    "DEFAULT_THROTTLE_RATES": {
        "sign_in": env.text("ANYMASK_SIGN_IN_RATE", "20/min"),
        "prompts": env.text("ANYMASK_PROMPT_RATE", "120/min"),
    },
    "EXCEPTION_HANDLER": "annotation.api.http.exception_handler",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
    "NUM_PROXIES": env.number("ANYMASK_PROXIES", 0),
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Anymask",
    "DESCRIPTION": "A segmentation data engine that a team can own.",
    "VERSION": "0.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "SCHEMA_PATH_PREFIX": "/api/",
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "annotation.api.schema.outputs_are_complete",
        "annotation.api.schema.without_database_limits",
    ],
    "ENUM_NAME_OVERRIDES": {
        "RoleEnum": "annotation.models.Member.Role",
        "StageEnum": "annotation.models.Stage",
        "LengthUnitEnum": "annotation.models.LengthUnit",
        "SplitEnum": "annotation.models.Image.Split",
        "MaskStatusEnum": "annotation.models.Mask.Status",
        "MaskSourceEnum": "annotation.models.Mask.Source",
        "TaskKindEnum": "annotation.models.Task.Kind",
        "ReviewVerdictEnum": "annotation.models.ReviewItem.Verdict",
        "ReviewReasonEnum": "annotation.models.ReviewItem.Reason",
        "ConsensusChoiceEnum": "annotation.models.ConsensusItem.Choice",
        "TaskStateEnum": "annotation.models.Task.State",
        "TaskAnswerEnum": "annotation.models.Task.Answer",
        "JobStateEnum": "annotation.models.Job.State",
        "UploadStateEnum": "annotation.models.Upload.State",
        "ConsentEnum": "annotation.models.Image.Consent",
        "ModelStateEnum": "engine.models.ModelVersion.State",
        "TrainingStateEnum": "engine.models.TrainingRun.State",
        "PromotionKindEnum": "engine.models.Promotion.Kind",
        "StageMoveKindEnum": "engine.models.StageMove.Kind",
        "AuditSourceEnum": "engine.models.Audit.Source",
        "AuditStateEnum": "engine.models.Audit.State",
        "JobQueueEnum": "annotation.models.Job.Queue",
        "PromptTypeEnum": ["point", "box", "mask", "text"],
        "ReadinessEnum": ["ready", "pending", "failed", "absent"],
        "PreparedEnum": ["ready", "pending", "failed"],
    },
}

# --- Celery: the job table is the record, a message is only a wake-up --------------------------------------------
CELERY_BROKER_URL = env.text("ANYMASK_BROKER_URL", "filesystem://localhost")
CELERY_TASK_DEFAULT_QUEUE = "io"
CELERY_TASK_CREATE_MISSING_QUEUES = False
CELERY_TASK_ACKS_LATE = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_IGNORE_RESULT = True
CELERY_RESULT_BACKEND = None
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_ENABLE_UTC = True
CELERY_TIMEZONE = "UTC"
CELERY_TASK_STORE_EAGER_RESULT = False
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_SEND_TASK_EVENTS = False
CELERY_WORKER_ENABLE_REMOTE_CONTROL = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BEAT_SCHEDULER = "config.clock:SingleScheduler"
if CELERY_BROKER_URL.startswith("filesystem://"):
    _broker = ANYMASK_DATA / "broker"
    for _folder in ("messages", "control", "taken"):
        (_broker / _folder).mkdir(parents=True, exist_ok=True)
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "data_folder_in": str(_broker / "messages"),
        "data_folder_out": str(_broker / "messages"),
        "control_folder": str(_broker / "control"),
        "processed_folder": str(_broker / "taken"),
        "polling_interval": 0.1,
    }
elif CELERY_BROKER_URL.startswith("redis"):
    # The lease of the job table decides when work is taken back, not the broker.
    CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": 24 * 3600, "socket_timeout": 10}

# --- Engine ------------------------------------------------------------------------------------------------------
ANYMASK_MODEL = Path(env.text("ANYMASK_MODEL", str(BASE_DIR / "modelzoo" / "weights" / "anymask_compact.safetensors")))
ANYMASK_TEXT_ENCODER = env.text("ANYMASK_TEXT_ENCODER", "")  # folder of a CLIP checkpoint, for free text
ANYMASK_TRAIN_MINUTES = env.number("ANYMASK_TRAIN_MINUTES", 4)  # of one retraining; judging comes on top
ANYMASK_TRAIN_STEPS = env.number("ANYMASK_TRAIN_STEPS", 0)  # 0: as many as the minutes allow
ANYMASK_TRAIN_THREADS = env.number("ANYMASK_TRAIN_THREADS", 0)  # 0: one per processor
ANYMASK_TRAIN_PROCESSES = env.number("ANYMASK_TRAIN_PROCESSES", 0)  # 0: one for each GPU, one without
ANYMASK_TRAIN_MEMORY_BYTES = env.number("ANYMASK_TRAIN_MEMORY_MIB", 0) * MEBIBYTE  # 0: four fifths of the machine's
ANYMASK_PROPOSAL_MINUTES = env.number("ANYMASK_PROPOSAL_MINUTES", 2)  # of the detector of proposals; 0: none is trained
ANYMASK_PROPOSAL_STEPS = env.number("ANYMASK_PROPOSAL_STEPS", 300)  # at most, within the minutes
ANYMASK_TRAIN_MIN_MASKS = env.number("ANYMASK_TRAIN_MIN_MASKS", 8)  # on training images, before a run may start
ANYMASK_GATE_MIN_MASKS = env.number("ANYMASK_GATE_MIN_MASKS", 8)  # on held-out images, to judge a model at all
ANYMASK_EMBEDDING_BYTES = env.number("ANYMASK_EMBEDDING_MIB", 0) * MEBIBYTE  # of all together; 0: a third of the disk
ANYMASK_EVALUATE_MASKS = env.number("ANYMASK_EVALUATE_MASKS", 200)  # at most so many held-out masks are clicked

# --- Files of the pages ------------------------------------------------------------------------------------------
FRONTEND_DIST = Path(env.text("ANYMASK_FRONTEND", str(BASE_DIR / "frontend" / "dist")))
STATIC_URL = "/static/"
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = DEBUG
WHITENOISE_ROOT = FRONTEND_DIST if FRONTEND_DIST.is_dir() else None
WHITENOISE_IMMUTABLE_FILE_TEST = r"^/assets/.+-[A-Za-z0-9_-]{8,}\.\w+$"  # Vite puts a content hash into these names

# --- Language and time -------------------------------------------------------------------------------------------
LANGUAGE_CODE = "en-gb"
USE_I18N = False
USE_TZ = True
TIME_ZONE = "UTC"

# --- Metrics: GET /metrics, for who knows the token --------------------------------------------------------------
ANYMASK_METRICS_TOKEN = env.text("ANYMASK_METRICS_TOKEN", "")

# --- Logging: one JSON line per event, on stderr -----------------------------------------------------------------
LOG_LEVEL = env.text("LOG_LEVEL", "INFO")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": "config.logs.JsonFormatter"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
    "root": {"handlers": ["stderr"], "level": LOG_LEVEL},
    "loggers": {
        "django": {"level": LOG_LEVEL},
        "django.server": {"handlers": ["stderr"], "level": LOG_LEVEL, "propagate": False},
        "celery.beat": {"level": "WARNING"},
        "celery.worker.strategy": {"level": "WARNING"},
        "celery.app.trace": {"level": "WARNING"},
        "PIL": {"level": "WARNING"},
    },
}

# --- People ------------------------------------------------------------------------------------------------------
ANYMASK_DEMO_USER = env.text("ANYMASK_DEMO_USER", "demo")
PORT = env.number("PORT", 8000)
