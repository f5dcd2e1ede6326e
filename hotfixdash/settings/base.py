"""Applications, middleware, templates, static files, time."""

import sys
from zoneinfo import available_timezones

from .env import BASE_DIR, DATA_DIR, DEBUG, HOST, PORT, env

__all__ = [
    "ASGI_APPLICATION",
    "BASE_DIR",
    "DATA_DIR",
    "DEBUG",
    "DEFAULT_AUTO_FIELD",
    "HOST",
    "INSTALLED_APPS",
    "LANGUAGE_CODE",
    "MIDDLEWARE",
    "PORT",
    "PUBLIC_URL",
    "ROOT_URLCONF",
    "STATICFILES_DIRS",
    "STATIC_ROOT",
    "STATIC_URL",
    "STORAGES",
    "TEMPLATES",
    "TIME_ZONE",
    "USE_I18N",
    "USE_TZ",
    "WSGI_APPLICATION",
]  # fmt: skip

PUBLIC_URL = env.str("PUBLIC_URL", default=f"http://{HOST}:{PORT}").rstrip("/")
"""Where people, and jobs that answer by a callback, reach the dashboard."""
if not PUBLIC_URL.startswith(("http://", "https://")):
    sys.exit("PUBLIC_URL must begin with http:// or https://.")

INSTALLED_APPS = [
    "hotfixdash.accounts",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django_htmx",
    "axes",
    "csp",
    "hotfixdash.apps.HotfixdashConfig",
    "releases",
    "incidents",
]

MIDDLEWARE = [
    "hotfixdash.middleware.HealthMiddleware",
    "hotfixdash.middleware.AddressMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "hotfixdash.middleware.HeadersMiddleware",
    "hotfixdash.static.StaticMiddleware",
    "incidents.views.status.StatusMiddleware",
    "django.middleware.gzip.GZipMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "hotfixdash.urls"
WSGI_APPLICATION = "hotfixdash.wsgi.application"
ASGI_APPLICATION = "hotfixdash.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "hotfixdash.accounts.theme.theme",
            ],
        },
    },
]

LANGUAGE_CODE = "en"
TIME_ZONE = env.str("TIME_ZONE", default="UTC")
if TIME_ZONE not in available_timezones():
    sys.exit(f"TIME_ZONE={TIME_ZONE} is no time zone's name: write Europe/Berlin, for example.")
USE_I18N = True
USE_TZ = True

STATIC_URL = "static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = DATA_DIR / "static"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
