"""Secrets at rest: encrypted with a key derived from SECRET_KEY, readable with SECRET_KEY_FALLBACKS after a rotation.

The database alone gives nothing away. Whoever holds SECRET_KEY can read everything, so it belongs elsewhere.
"""

from __future__ import annotations

import base64
import functools

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

_PURPOSE = b"hotfixdash secrets 1"
"""Separates these keys from everything else that is derived from SECRET_KEY."""


class SecretUnreadable(Exception):
    """A stored secret cannot be read with the current keys; the message says what to do."""

    def __init__(self, what: str = "credential") -> None:
        super().__init__(
            f"The stored {what} cannot be read: SECRET_KEY has changed since it was saved. "
            f"Add the former key to SECRET_KEY_FALLBACKS, or enter the {what} again."
        )


@functools.lru_cache(maxsize=16)
def _fernet(key: str) -> Fernet:
    derived = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=_PURPOSE).derive(key.encode())
    return Fernet(base64.urlsafe_b64encode(derived))


def _keys() -> MultiFernet:
    return MultiFernet([_fernet(key) for key in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)])


def encrypt(text: str) -> str:
    """The text encrypted under the current key, as ASCII; the same text never gives the same result twice."""
    return _keys().encrypt(text.encode()).decode("ascii")


def decrypt(token: str, what: str = "credential") -> str:
    """What `encrypt` was given. Raises SecretUnreadable, naming `what`, when no key fits or the value was changed."""
    try:
        return _keys().decrypt(token.encode()).decode()
    except (InvalidToken, UnicodeError):
        raise SecretUnreadable(what) from None


def rotate(token: str) -> str:
    """The same secret under the current key; for use after SECRET_KEY changed. Raises SecretUnreadable."""
    try:
        return _keys().rotate(token.encode()).decode("ascii")
    except (InvalidToken, UnicodeError):
        raise SecretUnreadable from None
