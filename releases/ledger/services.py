"""The one way to write the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import IntegrityError, transaction

from .models import Event

_LONGEST = 300


def event_write(
    kind: str, *, project_id: int | None = None, actor: Any = None, actor_name: str = "", subject: str = "",
    target: str = "", old: str = "", new: str = "", why: str = "", evidence: dict[str, Any] | None = None,
    key: str | None = None, at: Any = None,
) -> Event | None:  # fmt: skip
    """Add one fact; call it inside the transaction that makes the fact true.

    `actor` is a user or None; `actor_name` defaults to their name, else to "git".
    With `key`, the fact is written once only: None is returned when it stands already.
    """
    event = Event(
        kind=kind,
        project_id=project_id,
        actor=actor,
        actor_name=actor_name or (actor.get_username() if actor else "git"),
        subject=subject[:_LONGEST],
        target=target[:_LONGEST],
        old=old[:_LONGEST],
        new=new[:_LONGEST],
        why=why,
        evidence=evidence or {},
        key=key,
    )
    if at is not None:
        event.at = at
    if key is None:
        event.save()
        return event
    try:
        with transaction.atomic():
            event.save()
    except IntegrityError:
        return None
    return event


def events_write(events: Sequence[Event]) -> None:
    """Add many facts at once, inside the transaction that makes them true; a `key` that stands already is left."""
    Event.objects.bulk_create(events, ignore_conflicts=True)
