"""Connections to the database in threads that answer beside Django: nothing else tells when they are to be renewed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import close_old_connections


@contextmanager
def held_connection() -> Iterator[None]:
    """The thread's connection, kept for the next question as long as the setting says and nothing went wrong."""
    close_old_connections()
    try:
        yield
    finally:
        close_old_connections()
