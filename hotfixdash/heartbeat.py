"""A worker shows that it is alive by a key in the broker, renewed every few seconds and gone when it stops."""

from __future__ import annotations

import json
import logging
import os
import time
from dataclasses import dataclass
from typing import Any

import redis
from celery import bootsteps
from django.conf import settings

log = logging.getLogger(__name__)

PREFIX = "hotfixdash:worker:"
EVERY_SECONDS = 3.0
EXPIRES_SECONDS = 15
"""Several missed beats: a worker that is busy starting a process is not gone."""


@dataclass(frozen=True, slots=True)
class Beat:
    """One worker as it last showed itself."""

    worker: str
    queues: tuple[str, ...]
    age_seconds: float


def client(timeout_seconds: float = 2.0) -> redis.Redis:
    """A connection to the broker that gives up soon."""
    return redis.Redis.from_url(
        settings.REDIS_URL, socket_timeout=timeout_seconds, socket_connect_timeout=timeout_seconds
    )  # fmt: skip


def beats(connection: redis.Redis) -> list[Beat]:
    """The workers that showed themselves lately. Raises redis' errors when the broker is away."""
    found = []
    for key in connection.scan_iter(f"{PREFIX}*", count=1000):
        raw = connection.get(key)
        if not raw:
            continue
        data = json.loads(raw)
        found.append(Beat(data["worker"], tuple(data["queues"]), max(0.0, time.time() - float(data["at"]))))
    return sorted(found, key=lambda beat: beat.worker)


class Heartbeat(bootsteps.StartStopStep):  # type: ignore[misc]
    """Part of every worker of ours; a beat that fails is tried again at the next turn."""

    requires = ("celery.worker.components:Timer",)

    def __init__(self, worker: Any, **kwargs: Any) -> None:
        super().__init__(worker, **kwargs)
        self._timer: Any = None
        self._connection = client()
        self._key = f"{PREFIX}{worker.hostname}:{os.getpid()}"

    def start(self, worker: Any) -> None:
        self._timer = worker.timer.call_repeatedly(EVERY_SECONDS, self.beat, (worker,), priority=10)
        self.beat(worker)

    def stop(self, worker: Any) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        try:
            self._connection.delete(self._key)
        except (redis.RedisError, OSError):
            pass

    def beat(self, worker: Any) -> None:
        """Say it once."""
        data = {"worker": worker.hostname, "queues": sorted(worker.app.amqp.queues.consume_from), "at": time.time()}
        try:
            self._connection.set(self._key, json.dumps(data), ex=EXPIRES_SECONDS)
        except (redis.RedisError, OSError) as problem:
            log.debug("no heartbeat: %s", problem)
