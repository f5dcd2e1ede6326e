"""`/healthz`: this process answers. `/readyz`: so does everything it needs."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import redis
from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from . import heartbeat

NEEDED_QUEUES = frozenset({settings.CELERY_TASK_DEFAULT_QUEUE, "git", "deploy"})


class NotReady(Exception):
    """A part that does not answer, in words."""


@never_cache
@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """200 as long as the process can answer at all; asks nobody else."""
    return JsonResponse({"status": "ok"})


@never_cache
@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """200 when database, broker and workers answer, else 503; the body has a line for each."""
    parts = {name: _asked(check) for name, check in (("database", _database), ("broker", _broker), ("worker", _worker))}
    ready = all(part["ok"] for part in parts.values())
    return JsonResponse({"status": "ready" if ready else "not ready"} | parts, status=200 if ready else 503)


def _asked(check: Callable[[], str]) -> dict[str, Any]:
    began = time.monotonic()
    try:
        said, ok = check(), True
    except NotReady as problem:
        said, ok = str(problem), False
    return {"ok": ok, "says": said, "ms": round((time.monotonic() - began) * 1000, 1)}


def _database() -> str:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            cursor.fetchone()
    except DatabaseError:
        # Its own message may name hosts and users: that belongs into the log, not to visitors.
        raise NotReady("The database does not answer.") from None
    return connection.vendor


def _broker() -> str:
    try:
        with heartbeat.client() as broker:
            broker.ping()
    except (redis.RedisError, OSError):
        raise NotReady("The broker does not answer.") from None
    return "embedded" if settings.BROKER_EMBEDDED else "external"


def _worker() -> str:
    try:
        with heartbeat.client() as broker:
            seen = heartbeat.beats(broker)
    except (redis.RedisError, OSError):
        raise NotReady("Not known: the broker does not answer.") from None
    missing = NEEDED_QUEUES - {queue for beat in seen for queue in beat.queues}
    if missing:
        raise NotReady(f"No worker has shown itself for: {', '.join(sorted(missing))}.")
    oldest = max(beat.age_seconds for beat in seen)
    return f"{len(seen)} workers, last seen {oldest:.0f} s ago at most"
