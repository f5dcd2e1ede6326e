"""What waits for one person: approvals they may give, steps they may confirm, lost workers, glass to look at.

The number of queries depends neither on the number of projects nor on what waits. Ledger kind: run.glass-looked-at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from hotfixdash.accounts.roles import Act, Role
from releases.projects.models import Project

from .approving import LONGEST
from .errors import DeployRefused
from .following import publish, tell
from .makers import RELATED, makers_of
from .models import FollowUp, Run, Step
from .persons import RANK, may_see
from .voices import needed_of

SHOWN = ("project", "environment", "glass_by")
"""What a line about a run needs beside it."""
LOOKED_AT = 40
"""Requests of which git is asked whether they are the person's own; what comes after counts as not theirs."""
MOST = 500


@dataclass(frozen=True, slots=True)
class Waiting:
    """One thing that waits for the person."""

    kind: str
    """approve, confirm, lost, look."""
    run: Run
    since: datetime
    says: str
    until: datetime | None = None
    step: Step | None = None
    follow_up: FollowUp | None = None


def inbox(user: Any, now: datetime | None = None) -> list[Waiting]:
    """Everything that waits for this person: what ends soonest first, then what waits longest."""
    if not getattr(user, "is_authenticated", False) or not user.is_active:
        return []
    now = now or timezone.now()
    seen = list(Project.objects.seen_by(user).order_by().values_list("pk", flat=True))
    found: list[Waiting] = []
    if seen and user.may(Act.APPROVE):
        found += _to_approve(user, seen, now) + _to_look_at(user, seen)
    if seen and user.may(Act.SHIP):
        found += _to_confirm(seen)
    if seen and user.may(Act.DEPLOY):
        found += _lost(seen)
    return sorted(found, key=lambda item: (item.until is None, item.until or item.since, item.run.pk))


def inbox_count(user: Any, now: datetime | None = None) -> int:
    """How many things wait for the person, for the header."""
    return len(inbox(user, now))


def _to_approve(user: Any, seen: Sequence[int], now: datetime) -> list[Waiting]:
    waiting = [run for run in asking(seen, now) if allowed_there(user, run)]
    makers = makers_of(waiting[:LOOKED_AT])
    own = {pk for pk, found in makers.items() if found.own(user)}
    return [
        Waiting("approve", run, run.asked_at, f"{run.tag} to {_place(run)} waits for approval.", run.expires_at)
        for run in waiting
        if run.pk not in own
    ]


def asking(seen: Sequence[int], now: datetime) -> list[Run]:
    """Requests of these projects that wait for people, with those named for the environment and who spoke already."""
    asked = Run.objects.filter(project__in=seen, state=Run.State.ASKED)
    asked = asked.filter(Q(expires_at=None) | Q(expires_at__gt=now)).select_related(*RELATED)
    return list(asked.prefetch_related("environment__approvers", "approvals").order_by("pk")[:MOST])


def allowed_there(user: Any, run: Run) -> bool:
    """Whether the environment's rule lets this person speak, and they have not yet; from rows read by `asking`."""
    place = run.environment
    if place is None or not needed_of(run) or not user.may(Act.APPROVE):
        return False
    named = {person.pk for person in place.approvers.all()}
    if (named and user.pk not in named) or RANK[user.role] < RANK[Role(place.approver_role)]:
        return False
    return not any(voice.person_id == user.pk and voice.withdrawn_at is None for voice in run.approvals.all())


def _to_confirm(seen: Sequence[int]) -> list[Waiting]:
    steps = Step.objects.filter(
        run__project__in=seen, run__state=Run.State.PAUSED, state=Step.State.WAITING, kind="manual"
    )  # fmt: skip
    return [
        Waiting(
            "confirm", step.run, step.started_at or step.run.asked_at,
            f"{step.run.tag}: “{step.name}” waits for somebody to confirm it.", step.answer_by, step=step,
        )
        for step in steps.select_related(*(f"run__{name}" for name in SHOWN)).order_by("pk")[:MOST]
    ]  # fmt: skip


def _lost(seen: Sequence[int]) -> list[Waiting]:
    lost = Run.objects.filter(project__in=seen, state=Run.State.LOST).select_related(*SHOWN)
    return [
        Waiting(
            "lost", run, run.heartbeat_at or run.asked_at, f"{run.tag}: its worker was lost. Go on, or take it back."
        )
        for run in lost.order_by("pk")[:MOST]
    ]


def _to_look_at(user: Any, seen: Sequence[int]) -> list[Waiting]:
    return [
        Waiting(
            "look", item.run, item.opened_at,
            f"{item.run.tag} went to {_place(item.run)} through broken glass; a second person has to look at it.",
            follow_up=item,
        )
        for item in glass_open().filter(run__project__in=seen).exclude(run__glass_by=user)[:MOST]
    ]  # fmt: skip


def glass_open(user: Any = None) -> QuerySet[FollowUp]:
    """Where the glass is broken and no second person has looked yet: for the banner on every page.

    With `user`, only in projects that this person may see.
    """
    found = FollowUp.objects.filter(closed_at=None).select_related(*(f"run__{name}" for name in SHOWN))
    if user is not None:
        found = found.filter(run__project__in=Project.objects.seen_by(user))
    return found.order_by("opened_at")


def follow_up_close(follow_up: FollowUp, person: Any, note: str, now: datetime | None = None) -> None:
    """A second person has looked at what went through broken glass, and says what it was. Raises `DeployRefused`."""
    run, note = follow_up.run, note.strip()
    may_see(run, person)
    if not person.may(Act.APPROVE):
        raise DeployRefused("role", f"Your role ({person.role.label}) does not close this.")
    if run.glass_by_id == person.pk:
        raise DeployRefused("own", "You broke the glass; somebody else has to look at it.")
    if not note:
        raise DeployRefused("comment", "Write what you looked at, and what you found.")
    with transaction.atomic():
        still = FollowUp.objects.filter(pk=follow_up.pk, closed_at=None)
        if not still.update(closed_at=now or timezone.now(), closed_by=person, note=note[:LONGEST]):
            raise DeployRefused("over", "Somebody has looked at it already.")
        tell(run, "run.glass-looked-at", note, actor=person)
        publish(run)
    follow_up.refresh_from_db()


def _place(run: Run) -> str:
    return run.environment.name if run.environment else ""
