"""How e-mail leaves; without EMAIL_HOST none does."""

import sys
from urllib.parse import urlsplit

from .base import PUBLIC_URL
from .env import env, number

__all__ = [
    "DEFAULT_FROM_EMAIL", "EMAIL_HOST", "EMAIL_HOST_PASSWORD", "EMAIL_HOST_USER", "EMAIL_PORT", "EMAIL_TIMEOUT",
    "EMAIL_USE_SSL", "EMAIL_USE_TLS", "SERVER_EMAIL",
]  # fmt: skip

EMAIL_HOST = env.str("EMAIL_HOST", default="").strip()
"""Empty: nothing is sent, and pages say so."""
_tls = env.str("EMAIL_TLS", default="starttls").strip().lower()
if _tls not in ("starttls", "implicit", "off"):
    sys.exit(f"EMAIL_TLS={_tls} is not known: write starttls, implicit or off.")
EMAIL_USE_TLS, EMAIL_USE_SSL = _tls == "starttls", _tls == "implicit"
EMAIL_PORT = number("EMAIL_PORT", {"starttls": 587, "implicit": 465, "off": 25}[_tls], least=1, most=65535)
EMAIL_HOST_USER = env.str("EMAIL_USER", default="")
EMAIL_HOST_PASSWORD = env.str("EMAIL_PASSWORD", default="")
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = SERVER_EMAIL = env.str(
    "EMAIL_FROM", default=f"Hotfixdash <hotfixdash@{urlsplit(PUBLIC_URL).hostname or 'localhost'}>"
)
