"""Who has a document open now, and which part they write in. Kept in the cache: it is worth nothing a minute later."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from django.core.cache import cache

from releases import live

from .models import PostMortem
from .outline import BY_KEY
from .writing import topic_of

LASTS = 50
"""Seconds after which somebody who was not heard of is taken to be gone; pages tell every 20."""
MOST = 30


@dataclass(frozen=True, slots=True)
class Here:
    """Somebody who has the document open."""

    name: str
    part: str
    """The part that they write in; empty when they only read."""


def here(postmortem: PostMortem, but: Any = None) -> list[Here]:
    """Who else is there, by name."""
    rows = _rows(postmortem)
    others = [Here(name, part) for pk, (name, part, _) in rows.items() if but is None or pk != but.pk]
    return sorted(others, key=lambda one: one.name)


def came(postmortem: PostMortem, person: Any, part: str = "") -> None:
    """A page tells that it is open. Others are told when that changes what they see."""
    rows = _rows(postmortem)
    written = part if part in BY_KEY else ""
    before = rows.get(person.pk)
    rows[person.pk] = (person.get_username(), written, time.time())
    _keep(postmortem, rows)
    if before is None or before[1] != written:
        live.publish(topic_of(postmortem))


def went(postmortem: PostMortem, person: Any) -> None:
    """A page tells that it is closed."""
    rows = _rows(postmortem)
    if rows.pop(person.pk, None) is not None:
        _keep(postmortem, rows)
        live.publish(topic_of(postmortem))


def _rows(postmortem: PostMortem) -> dict[int, tuple[str, str, float]]:
    kept = cache.get(_key(postmortem)) or {}
    return {pk: row for pk, row in kept.items() if time.time() - row[2] < LASTS}


def _keep(postmortem: PostMortem, rows: dict[int, tuple[str, str, float]]) -> None:
    newest = sorted(rows.items(), key=lambda pair: -pair[1][2])[:MOST]
    cache.set(_key(postmortem), dict(newest), LASTS)


def _key(postmortem: PostMortem) -> str:
    return f"postmortem-here:{postmortem.pk}"
