"""What became of the e-mail about one request: for the page on which people decide, and to try again from there.

Ledger kind: run.mailed-again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from releases.policies.wording import count

from .approving import run_hold
from .errors import DeployRefused
from .following import publish, tell
from .models import ApprovalMail, Run

State = ApprovalMail.State


@dataclass(frozen=True, slots=True)
class Mails:
    """Who was to be written to."""

    total: int = 0
    refused: tuple[ApprovalMail, ...] = ()
    """Given up: the server does not take mail for these addresses."""
    held_up: tuple[ApprovalMail, ...] = ()
    """Not taken so far; they are tried again by themselves."""


def mails_of(run: Run) -> Mails:
    """What the rows say now. One query."""
    rows = list(ApprovalMail.objects.filter(run=run).exclude(state=State.DROPPED).select_related("person"))
    refused = tuple(row for row in rows if row.state == State.FAILED)
    return Mails(len(rows), refused, tuple(row for row in rows if row.state == State.DUE and row.error))


def mails_again(run: Run, actor: Any, now: datetime | None = None) -> int:
    """Have the mail that was not taken tried again now, as if for the first time; how many. Raises `DeployRefused`.

    The caller nudges a task on commit.
    """
    now = now or timezone.now()
    with transaction.atomic():
        row = run_hold(run.pk)
        if row.state != Run.State.ASKED or (row.expires_at is not None and row.expires_at <= now):
            raise DeployRefused("over", f"It is {row.get_state_display().lower()}; nobody is asked about it any more.")
        owed = ApprovalMail.objects.filter(run=row, state__in=(State.FAILED, State.DUE)).exclude(error="")
        found = owed.update(state=State.DUE, due_at=now, attempts=0, error="")
        if not found:
            raise DeployRefused("over", "There is no mail that was not taken.")
        tell(row, "run.mailed-again", f"The mail to {count(found, 'approver')} is tried again.", actor=actor)
        publish(row)
    return found
