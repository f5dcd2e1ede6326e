"""Telling open pages that something changed: a topic is at its next version, nothing more.

Versions live in the broker, not in the database. When it forgets them, or is away, pages lose at most their
liveliness: `hotfixdash.events` refreshes everything when its connection comes back.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

import redis
from django.conf import settings
from django.db import transaction
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeout
from redis.retry import Retry

log = logging.getLogger(__name__)

CHANNEL = "hotfixdash:live"
"""Messages are `<topic> <version>`."""
VERSION_KEY = "hotfixdash:version:"
OVERVIEW = "overview"
"""The topic of everything that spans projects."""
WAITING = "waiting"
"""The topic of what waits for people anywhere, and of broken glass: the bell and the notice on every page."""

RECENT_KEY = "hotfixdash:recent:"
"""Stands for ten seconds after a change: a page drawn just before it, and connected just after, is told."""

PAUSE_SECONDS = 5.0
_hung = {"until": 0.0}

# The number grows and the news goes out in one step, so that a reader never sees one without the other.
_BUMP = """
for i, topic in ipairs(ARGV) do
  redis.call('SET', KEYS[3] .. topic, '1', 'PX', 10000)
  redis.call('PUBLISH', KEYS[1], topic .. ' ' .. redis.call('INCR', KEYS[2] .. topic))
end
"""


def project_topic(project_pk: int) -> str:
    """The topic of one project's pages."""
    return f"project:{project_pk}"


def run_topic(run_pk: int) -> str:
    """The topic of one run's log: it moves with the lines, while the project's topic moves with states."""
    return f"run:{run_pk}"


def publish(*topics: str) -> None:
    """When the transaction commits (at once outside of one), move each topic on; never raises, the rows matter more."""
    transaction.on_commit(lambda: publish_now(*topics), robust=True)


def publish_now(*topics: str) -> bool:
    """Move each topic on and tell the open pages; False when the broker is away."""
    try:
        _asked(lambda: _client(settings.REDIS_URL).eval(_BUMP, 3, CHANNEL, VERSION_KEY, RECENT_KEY, *topics))
    except (RedisError, OSError) as error:
        log.warning("no live update of %s: the broker is away (%s)", ", ".join(topics), error)
        return False
    return True


def versions(topics: Iterable[str]) -> dict[str, int]:
    """The version each topic is at, 0 when unknown; for pages, which tell the stream what they show already."""
    names = list(dict.fromkeys(topics))
    if not names:
        return {}
    try:
        values = _asked(lambda: _client(settings.REDIS_URL).mget([VERSION_KEY + name for name in names]))
    except (RedisError, OSError):
        return dict.fromkeys(names, 0)
    return {name: int(value or 0) for name, value in zip(names, values, strict=True)}


def broker_answers() -> bool:
    """Whether a message can be sent now; asked once and briefly.

    Celery's own client tries again for six seconds when the broker is away, and waits for half a minute when it
    hangs: nobody who pushed a button or a commit may wait for that.
    """
    try:
        return bool(_asked(_probe(settings.REDIS_URL).ping))
    except (RedisError, OSError):
        return False


def _asked(call: Callable[[], Any]) -> Any:
    """What the broker says; one that hung is not asked again for a while, so that it costs one wait and not many."""
    if time.monotonic() < _hung["until"]:
        raise RedisTimeout("it did not answer a moment ago")
    try:
        return call()
    except RedisTimeout:
        _hung["until"] = time.monotonic() + PAUSE_SECONDS
        raise


@cache
def _probe(url: str) -> redis.Redis:
    no_second_try = Retry(NoBackoff(), 0)
    return redis.Redis.from_url(url, socket_timeout=0.5, socket_connect_timeout=0.5, retry=no_second_try)


@cache
def _client(url: str) -> redis.Redis:
    """One pool per process and address; short timeouts, because nobody may wait for liveliness."""
    return redis.Redis.from_url(url, socket_timeout=2, socket_connect_timeout=1)
