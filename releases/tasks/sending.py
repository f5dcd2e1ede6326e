"""Sending tasks: rows are the truth, so a broker that is away costs only time."""

from __future__ import annotations

import logging
from typing import Any

from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from releases import live

log = logging.getLogger(__name__)

NUDGE_LIVES = 120
"""Seconds after which a task that nobody took is dropped; the sweep sends another, so queues do not pile up."""


def send(task: Any, pk: int, **options: Any) -> bool:
    """Send it; False when the broker is away."""
    if not live.broker_answers():
        log.warning("%s(%s) is not sent: the broker is away", task.name, pk)
        return False
    try:
        task.apply_async((pk,), retry=False, **options)
    except (OperationalError, RedisError, OSError) as error:
        log.warning("%s(%s) is not sent: the broker went away (%s)", task.name, pk, error)
        return False
    return True
