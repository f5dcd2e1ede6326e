"""Sign-in, throttling, sessions."""

from hotfixdash.supervisor.addresses import is_loopback

from .env import HOST, number
from .security import HTTPS

__all__ = [
    "AUTHENTICATION_BACKENDS", "AUTH_PASSWORD_VALIDATORS", "AUTH_USER_MODEL", "AXES_COOLOFF_TIME",
    "AXES_FAILURE_LIMIT", "AXES_HTTP_RESPONSE_CODE", "AXES_LOCKOUT_CALLABLE", "AXES_LOCKOUT_PARAMETERS",
    "AXES_RESET_ON_SUCCESS", "AXES_VERBOSE", "DEMO_LOGINS_ALLOWED", "LOGIN_REDIRECT_URL", "LOGIN_URL",
    "LOGOUT_REDIRECT_URL", "SESSION_COOKIE_AGE", "SESSION_ENGINE",
]  # fmt: skip

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "hotfixdash.accounts.backends.AccountBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "login"
SESSION_ENGINE = "django.contrib.sessions.backends.db"
SESSION_COOKIE_AGE = 14 * 24 * 3600

DEMO_LOGINS_ALLOWED = is_loopback(HOST) and not HTTPS
"""The demo's passwords are public: they open nothing that others can reach."""

AXES_FAILURE_LIMIT = number("LOGIN_FAILURE_LIMIT", 10, least=1)
AXES_COOLOFF_TIME = 0.25  # hours
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_HTTP_RESPONSE_CODE = 429
AXES_LOCKOUT_CALLABLE = "hotfixdash.accounts.views.locked_out"
AXES_VERBOSE = False
