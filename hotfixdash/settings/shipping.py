"""Shipping: which authorities are trusted over https, and how long artifacts stay."""

import ssl
import sys

from .env import env

__all__ = ["CA_BUNDLE"]

CA_BUNDLE = env.str("CA_BUNDLE", default="")
"""A file with further certificates (PEM) of authorities whose servers probes and webhooks may believe."""
if CA_BUNDLE:
    try:
        ssl.create_default_context(cafile=CA_BUNDLE)
    except (OSError, ValueError) as error:
        sys.exit(f"CA_BUNDLE={CA_BUNDLE} cannot be used: {error}. It is a file of certificates in PEM.")
