"""Post-mortems open themselves: when a hotfix is live, or an incident resolved. Each has an owner and a date."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from hotfixdash.accounts.roles import Role
from incidents.numbering import numbered
from incidents.response.models import Incident
from releases.hotfixes.models import Hotfix
from releases.hotfixes.observing import hotfixes_observe
from releases.hotfixes.stages import StageKey, StageState
from releases.ledger.models import Event
from releases.ledger.services import event_write
from releases.projects.models import Project

from .models import PostMortem

DUE = {1: timedelta(days=3), 2: timedelta(days=5), 3: timedelta(days=10), 4: timedelta(days=20)}
"""By severity: when it is to be published."""
RECENT = timedelta(days=30)
"""Hotfixes that went live longer ago, before anybody was asked to learn from them, are left alone."""

LATE = timedelta(days=1)
"""What is opened later than this after its time is due as if it had ended now."""


def subject_of(postmortem: PostMortem) -> str:
    """How the ledger calls it."""
    return f"postmortem:{postmortem.key}"


def postmortem_open(
    project: Project, title: str, *, severity: int, owner: Any, incident: Incident | None = None,
    hotfix: Hotfix | None = None, since: datetime | None = None, actor: Any = None, drill: Any = None,
) -> PostMortem:  # fmt: skip
    """Open one; of an incident or hotfix that has one already, that one."""
    begun = since or timezone.now()

    def make(number: int) -> PostMortem:
        standing = _standing(incident, hotfix)
        if standing is not None:
            return standing
        row = PostMortem.objects.create(
            number=number, project=project, incident=incident, hotfix=hotfix, title=title[:200], severity=severity,
            owner=owner, opened_at=begun, due_at=begun + DUE[severity], drill=drill,
        )  # fmt: skip
        event_write(
            "postmortem.opened", project_id=project.pk, actor=actor, actor_name="" if actor else "sweep",
            subject=subject_of(row), new=row.due_at.isoformat(),
            why=f"{row.key} is {owner.get_username()}'s to write: {row.title}.", evidence=evidence_of(row),
        )  # fmt: skip
        return row

    return numbered(PostMortem.objects, make)


def postmortems_open_due(now: datetime) -> int:
    """Open those that are due: of resolved incidents, and of hotfixes that are live; returns how many.

    A hotfix of an incident is told of in the incident's.
    """
    opened = 0
    over = Incident.objects.filter(
        state=Incident.State.RESOLVED, postmortem=None, drill=None, resolved_at__gt=now - RECENT
    ).select_related("project", "lead", "declared_by")
    for incident in over:
        if _tie(incident):
            continue
        owner = owner_for(incident.project, incident.lead, incident.declared_by)
        if owner is not None:
            postmortem_open(
                incident.project, incident.title, severity=incident.severity, owner=owner, incident=incident,
                hotfix=_alone(incident), since=_counted_from(incident.resolved_at, now),
            )  # fmt: skip
            opened += 1
    for hotfix, live in _live_hotfixes(now):
        owner = owner_for(hotfix.project, hotfix.owner, hotfix.asked_by)
        if owner is not None:
            postmortem_open(
                hotfix.project,
                hotfix.title,
                severity=hotfix.severity,
                owner=owner,
                hotfix=hotfix,
                since=_counted_from(live, now),
            )
            opened += 1
    return opened


def owner_for(project: Project, *candidates: Any) -> Any:
    """The first of these people who is still here; else a release manager or administrator of the project.

    None only when nobody at all could own it.
    """
    for person in candidates:
        if person is not None and person.is_active:
            return person
    people = get_user_model().objects.filter(
        Q(all_projects=True) | Q(is_superuser=True) | Q(project_access__project=project), is_active=True
    )
    for role in (Role.RELEASE_MANAGER, Role.ADMINISTRATOR):
        found = people.filter(groups__name=role.value).order_by("pk").first()
        if found is not None:
            return found
    return people.filter(is_superuser=True).order_by("pk").first()


def evidence_of(postmortem: PostMortem) -> dict[str, Any]:
    """What ledger rows about it carry for announcements."""
    return {
        "postmortem": postmortem.key, "title": postmortem.title, "severity": postmortem.severity,
        "drill": postmortem.drill_id is not None,
    }  # fmt: skip


def step_tell(postmortem: PostMortem, state: StageState, why: str, actor: Any) -> None:
    """Say in the ledger how far the last step of its hotfixes is; call it in the transaction that makes it so."""
    for hotfix in hotfixes_of(postmortem):
        event_write(
            f"stage.{StageKey.POST_MORTEM}", project_id=hotfix.project_id, actor=actor,
            subject=f"hotfix:{hotfix.key}", new=state.value, why=why,
        )  # fmt: skip


def step_look(postmortem: PostMortem) -> None:
    """Let its hotfixes see that, outside of a transaction: their steps are read from the ledger and from git."""
    rows = hotfixes_of(postmortem)
    if rows:
        hotfixes_observe(rows[0].project, only=[row.pk for row in rows])


def hotfixes_of(postmortem: PostMortem) -> list[Hotfix]:
    """The hotfixes that it tells of."""
    found = list(postmortem.incident.hotfixes.select_related("project")) if postmortem.incident is not None else []
    if postmortem.hotfix is not None and postmortem.hotfix not in found:
        found.append(postmortem.hotfix)
    return found


def _counted_from(over: datetime | None, now: datetime) -> datetime:
    """From when the days to its due date are counted: nobody finds one that was late before it was opened."""
    return now if over is None or now - over > LATE else over


def _standing(incident: Incident | None, hotfix: Hotfix | None) -> PostMortem | None:
    wanted = Q(pk=None)
    if incident is not None:
        wanted |= Q(incident=incident)
    if hotfix is not None:
        wanted |= Q(hotfix=hotfix)
    return PostMortem.objects.filter(wanted).first()


def _tie(incident: Incident) -> bool:
    """Let the post-mortem that its fix has already, and that is still written, tell of the incident too."""
    begun = PostMortem.objects.filter(
        hotfix__in=incident.hotfixes.all(), incident=None, drill=None,
        state__in=(PostMortem.State.DRAFT, PostMortem.State.REVIEW),
    )[:2]  # fmt: skip
    if len(begun) != 1:
        return False
    with transaction.atomic():
        if not PostMortem.objects.filter(pk=begun[0].pk, incident=None).update(incident=incident):
            return False
        event_write(
            "postmortem.tied", project_id=incident.project_id, actor_name="sweep", subject=subject_of(begun[0]),
            new=incident.key, why=f"{begun[0].key} tells of {incident.key} too.", evidence=evidence_of(begun[0]),
        )  # fmt: skip
    return True


def _alone(incident: Incident) -> Hotfix | None:
    """The hotfix of an incident that has one, and only when no other post-mortem tells of it."""
    hotfixes = list(incident.hotfixes.filter(postmortem=None)[:2])
    return hotfixes[0] if len(hotfixes) == 1 else None


def _live_hotfixes(now: datetime) -> list[tuple[Hotfix, datetime]]:
    """Live, without a post-mortem, of no incident; each with when it went live."""
    rows = Event.objects.filter(
        kind="hotfix.stage", target=StageKey.PRODUCTION.value, new=StageState.DONE.value, at__gt=now - RECENT
    ).order_by("at")
    live = {(row.project_id, row.subject.removeprefix("hotfix:")): row.at for row in rows}
    if not live:
        return []
    keys = {key for _, key in live}
    waiting = Hotfix.objects.filter(key__in=keys, postmortem=None, incidents=None, project__drill_of=None).exclude(
        closed__in=(Hotfix.Closed.DECLINED, Hotfix.Closed.ABANDONED)
    )
    found = []
    for hotfix in waiting.select_related("project", "owner", "asked_by"):
        at = live.get((hotfix.project_id, hotfix.key))
        if at is not None:
            found.append((hotfix, at))
    return found
