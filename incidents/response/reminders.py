"""Reminding those in charge that people outside have heard nothing for too long."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.db.models import Max, Q

from .models import Incident
from .services import tell
from .states import SPEAK_WITHIN, word_due


def incidents_silent(now: datetime) -> list[Incident]:
    """Open public incidents whose last public word is older than their severity allows; each has `spoke_at`."""
    open_ones = Incident.objects.exclude(state=Incident.State.RESOLVED).filter(public=True, drill=None)
    spoken = open_ones.annotate(spoke_at=Max("updates__at", filter=Q(updates__public=True)))
    return [row for row in spoken if word_due(row.severity, row.spoke_at, row.declared_at) <= now]


def incidents_remind(now: datetime) -> int:
    """Write a ledger row for each that is silent, once for each time that its limit passes; returns how many.

    It goes by the last public word alone: going to another state without a word to the public silences nothing.
    """
    sent = 0
    for row in incidents_silent(now):
        within = SPEAK_WITHIN[row.severity]
        with transaction.atomic():
            due = Q(reminded_at=None) | Q(reminded_at__lte=now - within)
            if not Incident.objects.filter(due, pk=row.pk).update(reminded_at=now):
                continue
            spoke_at = getattr(row, "spoke_at", None)
            minutes = int((now - (spoke_at or row.declared_at)).total_seconds() // 60)
            said = f"{minutes} min" if minutes < 120 else f"{minutes // 60} h"
            why = (
                f"{row.key}: no public word for {said}." if spoke_at else f"{row.key}: no public word yet, for {said}."
            )
            tell(row, "incident.silent", None, why=why, actor_name="sweep")
            sent += 1
    return sent
