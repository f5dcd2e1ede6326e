"""Secret key, hosts, cookies, transport, content security policy."""

import ipaddress
import os
import secrets
import sys
from pathlib import Path

from csp.constants import NONCE, NONE, SELF

from .env import DATA_DIR, HOST, env

__all__ = [
    "ALLOWED_HOSTS", "CONTENT_SECURITY_POLICY", "CSRF_COOKIE_HTTPONLY", "CSRF_COOKIE_SECURE", "CSRF_TRUSTED_ORIGINS",
    "HTTPS", "SECRET_KEY", "SECURE_CONTENT_TYPE_NOSNIFF", "SECURE_HSTS_INCLUDE_SUBDOMAINS", "SECURE_HSTS_SECONDS",
    "SECURE_PROXY_SSL_HEADER", "SECURE_REFERRER_POLICY", "SECURE_SSL_REDIRECT", "SESSION_COOKIE_HTTPONLY",
    "SESSION_COOKIE_SECURE", "TRUSTED_PROXIES", "X_FRAME_OPTIONS",
]  # fmt: skip


def _own_secret() -> str:
    """The key of an embedded installation: made once, kept under DATA_DIR, readable by its owner only."""
    path = DATA_DIR / "secret-key"
    try:
        return path.read_text().strip() if path.exists() else _make_secret(path)
    except OSError as problem:
        sys.exit(f"{DATA_DIR} cannot be used: {problem.strerror}. Make it writable, or set DATA_DIR to another folder.")


def _make_secret(path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".secret-key.{os.getpid()}")
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as handle:
        handle.write(secrets.token_urlsafe(50))
    try:
        # A link appears whole or not at all: two first starts at once agree on one key.
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
    return path.read_text().strip()


SECRET_KEY = env.str("SECRET_KEY", default="") or _own_secret()
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]", HOST])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
try:
    TRUSTED_PROXIES = [ipaddress.ip_network(part.strip()) for part in env.list("TRUSTED_PROXIES", default=[])]
    """Proxies that may say by X-Forwarded-For whom they speak for; nobody may by default."""
except ValueError as problem:
    sys.exit(f"TRUSTED_PROXIES: {problem}.")

HTTPS = env.bool("HTTPS", default=False)
"""Behind a TLS proxy: secure cookies, redirect, HSTS."""
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = HTTPS
# No script of ours reads either: forms carry the token.
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF, NONCE],
        "style-src": [SELF],
        "font-src": [SELF],
        "img-src": [SELF, "data:"],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
        "manifest-src": [SELF],
    }
}
