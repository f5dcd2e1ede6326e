"""Connections to the database that threads of the routes beside Django hold on to."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection

HELD = 60.0
"""Seconds. To open one costs more than what these threads ask."""


@contextmanager
def held_connection() -> Iterator[None]:
    """The thread keeps its connection for the next question, unless something went wrong with it."""
    connection.close_if_unusable_or_obsolete()
    if connection.connection is None:
        connection.ensure_connection()
        connection.close_at = time.monotonic() + HELD
    try:
        yield
    finally:
        connection.close_if_unusable_or_obsolete()
