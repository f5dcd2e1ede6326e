"""What people do about drills. Each change is one conditional update and its ledger row in one transaction.

Ledger kinds: drill.asked, drill.started, drill.failed, drill.hint, drill.ended, drill.removed, drill.interval; all of
them in the real project's ledger, and none of them is announced to anybody.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from incidents.postmortems.models import PostMortem
from incidents.postmortems.opening import owner_for, postmortem_open
from incidents.postmortems.writing import section_write
from releases import live
from releases.deploys.environment_services import environment_save
from releases.deploys.models import Environment
from releases.hotfixes.models import Hotfix
from releases.ledger.services import event_write
from releases.policies.models import Fix
from releases.policies.typed import typed
from releases.policies.wording import harmless
from releases.projects.models import Project

from .errors import DrillError
from .models import LONGEST_INTERVAL, Drill, DrillPlan
from .observing import observed
from .scenarios import offer_of
from .scoring import score_of

LONGEST_NOTES = 5_000
SELDOM = 6 * 3600
"""Seconds between two looks at a copy, or at its sandbox, once its drill is over."""


def drill_start(project: Project, scenario: str, fix: Fix | None, actor: Any = None) -> Drill:
    """Ask for a drill; the caller nudges a worker, which prepares it. Raises DrillError."""
    if project.is_drill:
        raise DrillError("", "This is a drill already. Start another one from the real project.", "drill")
    offer = offer_of(project, scenario)
    if offer is None:
        raise DrillError("scenario", "There is no such scenario.", "unknown")
    if not offer.offered:
        raise DrillError("scenario", offer.why_not, "not-offered")
    chosen = next((known for known in offer.fixes if fix is not None and known.pk == fix.pk), None)
    if chosen is None:
        raise DrillError("fix", "Choose one of the past hotfixes of this project.", "unknown")
    try:
        with transaction.atomic():
            drill = Drill.objects.create(
                project=project, scenario=scenario, fix=chosen, started_by=actor,
                params={"subject": harmless(chosen.subject)[:180], "ticket": harmless(chosen.ticket)},
            )  # fmt: skip
            _tell(drill, "drill.asked", actor, new=scenario, why=f"A drill was asked for: {drill.subject}.")
    except IntegrityError:
        raise DrillError("", "A drill of this project is under way already. End that one first.", "under-way") from None
    drill_publish(drill)
    return drill


def drill_hint(drill: Drill, actor: Any = None) -> None:
    """Look at the original change; that somebody did is part of the result. Raises DrillError."""
    if drill.state != Drill.State.RUNNING:
        raise DrillError("", "This drill is not running.", "over")
    with transaction.atomic():
        fresh = Drill.objects.filter(pk=drill.pk, state=Drill.State.RUNNING, hint_at=None)
        if fresh.update(hint_at=timezone.now(), hint_by=actor):
            _tell(drill, "drill.hint", actor, why="The original change was looked at.")
    drill.refresh_from_db()
    drill_publish(drill)


def drill_end(drill: Drill, notes: str = "", actor: Any = None) -> PostMortem | None:
    """End it: the score is written down, and a draft post-mortem opened; the copy goes some days later.

    Gives the post-mortem; None when nobody is there who could own it. Raises DrillError.
    """
    said = typed(notes, "notes", "What you noticed", LONGEST_NOTES, lines=True, required=False, error=DrillError)
    now = timezone.now()
    with transaction.atomic():
        standing = Drill.objects.select_for_update(of=("self",)).select_related("project", "copy").get(pk=drill.pk)
        if standing.state != Drill.State.RUNNING:
            raise DrillError("", "This drill is not running.", "over")
        standing.notes, standing.ended_at = said, now
        seen = observed(standing, now)
        standing.score = score_of(standing, seen)
        standing.state, standing.ended_by = Drill.State.ENDED, actor
        standing.remove_at = now + timedelta(days=settings.DRILL_KEEP_DAYS)
        standing.save(update_fields=["notes", "ended_at", "score", "state", "ended_by", "remove_at"])
        done, total = standing.score["done"], standing.score["total"]
        _tell(
            standing, "drill.ended", actor, new=f"{done}/{total}", why=f"A drill ended: {done} of {total} steps done."
        )
        postmortem = _postmortem(standing, seen.hotfix, actor)
        _calm(standing)
    drill.refresh_from_db()
    drill_publish(drill)
    return postmortem


def drill_cancel(drill: Drill, actor: Any = None) -> None:
    """Give it up without a score; the copy goes at once. Raises DrillError."""
    now = timezone.now()
    with transaction.atomic():
        open_one = Drill.objects.filter(pk=drill.pk, state__in=(Drill.State.PREPARING, Drill.State.RUNNING))
        if not open_one.update(
            state=Drill.State.FAILED, error="It was called off.", ended_at=now, ended_by=actor, remove_at=now, step=""
        ):
            raise DrillError("", "This drill is over already.", "over")
        _tell(drill, "drill.failed", actor, why="The drill was called off.")
    drill.refresh_from_db()
    drill_publish(drill)


def interval_set(project: Project, every_days: int | None, actor: Any = None) -> None:
    """How often this project is drilled, in days; 0: never due; None: as for all. Raises DrillError."""
    if every_days is not None and not 0 <= every_days <= LONGEST_INTERVAL:
        raise DrillError("every_days", f"Between 0 and {LONGEST_INTERVAL:,} days.", "range")
    with transaction.atomic():
        old = DrillPlan.objects.filter(project=project).values_list("every_days", flat=True).first()
        if old == every_days:
            return
        if every_days is None:
            DrillPlan.objects.filter(project=project).delete()
        else:
            DrillPlan.objects.update_or_create(project=project, defaults={"every_days": every_days})
        said = "as for all projects" if every_days is None else f"every {every_days} days" if every_days else "never"
        event_write(
            "drill.interval", project_id=project.pk, actor=actor, actor_name="" if actor else "operator",
            subject=f"project:{project.slug}", old="" if old is None else str(old),
            new="" if every_days is None else str(every_days), why=f"Drills are due {said}.",
        )  # fmt: skip
    live.publish(live.project_topic(project.pk))


def drill_publish(drill: Drill) -> None:
    """News for open pages of the project and of its copy."""
    topics = [live.project_topic(drill.project_id)]
    if drill.copy_id is not None:
        topics.append(live.project_topic(drill.copy_id))
    live.publish(*topics)


def _calm(drill: Drill) -> None:
    """Until the copy goes it is only there to look things up: nobody need ask it every few seconds."""
    if drill.copy is not None:
        Project.objects.filter(pk=drill.copy.pk).update(fetch_every=SELDOM)
        for place in Environment.objects.filter(project=drill.copy):
            environment_save(place, probe_every=SELDOM)


def _postmortem(drill: Drill, hotfix: Hotfix | None, actor: Any) -> PostMortem | None:
    """A draft in the real project, so that what was learned stays when the copy goes."""
    incident = drill.incidents.order_by("number").first()
    owner = owner_for(drill.project, drill.started_by, actor)
    if owner is None:
        return None
    made = postmortem_open(
        drill.project, f"Drill: {drill.subject}", severity=incident.severity if incident else 2, owner=owner,
        incident=incident, hotfix=hotfix, drill=drill, since=drill.ended_at, actor=actor,
    )  # fmt: skip
    score = drill.score
    section_write(made, "summary", _summary(drill, score), 0, owner)
    return made


def _summary(drill: Drill, score: dict[str, Any]) -> str:
    skipped = [step["label"].lower() for step in score["steps"] if not step["done"]]
    lines = [
        f"A drill, nothing real: {drill.get_scenario_display().lower()}. {drill.subject}.",
        f"{score['done']} of {score['total']} steps were done.",
    ]
    if skipped:
        lines.append(f"Not done: {', '.join(skipped)}.")
    # Whether what was noticed went well or badly is for the people to say.
    noticed = f"\n\nWhat was noticed: {drill.notes}" if drill.notes else ""
    return " ".join(lines) + noticed


def _tell(drill: Drill, kind: str, actor: Any, *, new: str = "", why: str = "") -> None:
    event_write(
        kind, project_id=drill.project_id, actor=actor, actor_name="" if actor else "operator",
        subject=f"drill:{drill.pk}", new=new, why=why, evidence={"drill": True},
    )  # fmt: skip
