"""Shipping: which authorities are trusted over https, and how long artifacts stay."""

import ssl
import sys

from .env import env, number

__all__ = ["ARTIFACT_KEEP_DAYS", "ARTIFACT_KEEP_RELEASES", "CA_BUNDLE"]

CA_BUNDLE = env.str("CA_BUNDLE", default="")
"""A file with further certificates (PEM) of authorities whose servers probes and webhooks may believe."""
if CA_BUNDLE:
    try:
        ssl.create_default_context(cafile=CA_BUNDLE)
    except (OSError, ValueError) as error:
        sys.exit(f"CA_BUNDLE={CA_BUNDLE} cannot be used: {error}. It is a file of certificates in PEM.")

ARTIFACT_KEEP_DAYS = number("ARTIFACT_KEEP_DAYS", 90, most=3650)
"""So long every artifact stays."""
ARTIFACT_KEEP_RELEASES = number("ARTIFACT_KEEP_RELEASES", 10, most=1000)
"""Of so many releases of a project, those that were built last, artifacts stay longer."""
