"""What the page of one drill shows: the checklist and the clock, or the result."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.urls import get_script_prefix
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from hotfixdash.accounts.roles import Act
from incidents.drills.models import Drill
from incidents.drills.observing import Observed, Step, observed
from incidents.drills.scoring import Time, compared
from incidents.drills.selectors import clone_url, past_scores
from releases.projects.history import reading
from releases.projects.models import Project
from releases.projects.patches import Patch
from releases.views import links as places
from releases.views import words
from releases.views.access import may
from releases.views.deploy_words import name_of

from . import drill_links as links
from . import links as incident_links
from .postmortem_links import document

_TONES = {"preparing": ("run", "loader"), "running": ("run", "circle-dot"), "ended": ("ok", "circle-check"),
          "failed": ("idle", "circle-x")}  # fmt: skip


@dataclass(slots=True)
class ShownStep:
    """One line of the checklist."""

    label: str
    done: bool
    at: datetime | None
    after: str
    """How long after the beginning."""
    detail: str
    now: bool = False


@dataclass(slots=True)
class ShownTime:
    """One time beside that of the drills before."""

    row: Time

    @property
    def label(self) -> str:
        return self.row.label

    @property
    def took(self) -> str:
        return words.duration(self.row.took) if self.row.took is not None else ""

    @property
    def before(self) -> str:
        return words.duration(self.row.before) if self.row.before is not None else ""

    @property
    def said(self) -> str:
        """How that compares, in words."""
        change = self.row.change
        if change is None:
            return ""
        if abs(change) < 60 or self.row.before is None or abs(change) < 0.05 * self.row.before:
            return "as before"
        return f"{words.duration(abs(change))} {'longer' if change > 0 else 'less'}"


@dataclass(slots=True)
class Row:
    """One drill in a list."""

    drill: Drill
    url: str
    tone: str
    icon: str

    @property
    def done(self) -> str:
        score = self.drill.score
        return f"{score['done']} of {score['total']}" if score else ""

    @property
    def to_verified(self) -> str:
        took = self.drill.score.get("times", {}).get("verify") if self.drill.score else None
        return words.duration(took) if took is not None else ""

    @property
    def by(self) -> str:
        return name_of(self.drill.started_by)


def drill_row(drill: Drill) -> Row:
    tone, icon = _TONES[drill.state]
    return Row(drill, links.drill(drill.pk), tone, icon)


def drill_context(request: HttpRequest, drill: Drill) -> dict[str, Any]:
    """Everything that the page of this drill shows, in whichever state it is."""
    now = timezone.now()
    lead, play = may(request, Act.RELEASE), may(request, Act.HOTFIX)
    context: dict[str, Any] = {
        "tab": "drills", "project": drill.project, "drill": drill, "row": drill_row(drill),
        "by": name_of(drill.started_by), "drills_url": links.drills(drill.project.slug), "may_lead": lead,
        "may_play": play,
        "acts": {verb: links.act(drill.pk, verb) for verb in ("hint", "end", "cancel")},
        "scenario": drill.get_scenario_display(), "target": drill.params.get("target", ""),
        "begins_at": drill.params.get("begins_at", ""), "left_out": drill.params.get("left_out", []),
    }  # fmt: skip
    if drill.copy is not None:
        context |= _copy(drill, drill.copy)
    if drill.state == Drill.State.RUNNING:
        context |= _running(drill, now)
    elif drill.state == Drill.State.ENDED:
        context |= _result(drill)
    if drill.hint_at is not None or drill.state == Drill.State.ENDED:
        context["hint"] = _original(drill)
    if drill.hint_at is not None and drill.started_at is not None:
        context["hint_after"] = words.duration((drill.hint_at - drill.started_at).total_seconds())
    return context


def _copy(drill: Drill, copy: Project) -> dict[str, Any]:
    incident = drill.incidents.order_by("number").first()
    return {
        "copy": copy, "clone": f"git clone {clone_url(drill)} {copy.slug}",
        "copy_url": f"{get_script_prefix()}projects/{copy.slug}/", "hotfix_new": places.hotfix_new(copy.slug),
        "incident": incident, "incident_url": incident_links.incident(incident.key) if incident else "",
    }  # fmt: skip


def _running(drill: Drill, now: datetime) -> dict[str, Any]:
    seen = observed(drill, now)
    slug = drill.copy.slug if drill.copy else ""
    counted = [step for step in seen.steps if step.needed]
    return {
        "steps": [_step(drill, step) for step in counted], "done": sum(step.done for step in counted),
        "total": len(counted), "seen": seen, "all_done": seen.over, "times": _times(drill, seen),
        "hotfix_url": places.hotfix(slug, seen.hotfix.key) if seen.hotfix else "",
        "waits_url": places.approval(slug, seen.waits.pk) if seen.waits else "",
        "failed_url": places.run(slug, seen.failed.pk) if seen.failed else "",
    }  # fmt: skip


def _times(drill: Drill, seen: Observed) -> list[ShownTime]:
    """What the drills before it took, for those who like to know; none for the first."""
    past = past_scores(drill)
    return [ShownTime(row) for row in compared({}, past) if row.before is not None]


def _step(drill: Drill, step: Step) -> ShownStep:
    after = words.duration((step.at - drill.started_at).total_seconds()) if step.at and drill.started_at else ""
    return ShownStep(step.label, step.done, step.at, after, words.visible(step.detail), step.now)


def _result(drill: Drill) -> dict[str, Any]:
    score = drill.score
    steps = []
    for kept in score["steps"]:
        at = parse_datetime(kept["at"]) if kept["at"] else None
        after = words.duration((at - drill.started_at).total_seconds()) if at and drill.started_at else ""
        steps.append(ShownStep(kept["label"], kept["done"], at, after, words.visible(kept["detail"])))
    past = past_scores(drill)
    back, postmortem = score["merge_back_seconds"], drill.postmortems.first()
    return {
        "steps": steps, "done": score["done"], "total": score["total"],
        "skipped": [step.label for step in steps if not step.done],
        "times": [ShownTime(row) for row in compared(score, past)], "has_past": bool(past),
        "lasted": words.duration(score["lasted"]) if score["lasted"] is not None else "",
        "back": words.duration(back) if back is not None else "", "within": score["within_sla"],
        "sla": words.limit_words(score["sla_hours"]), "postmortem": postmortem,
        "postmortem_url": document(postmortem.key) if postmortem else "",
    }  # fmt: skip


def _original(drill: Drill) -> list[Patch]:
    """The change of the past, commit by commit; none when git has it no more."""
    if drill.fix is None:
        return []
    with reading(drill.project) as history:
        found = [history.patch(str(commit["sha"])) for commit in drill.fix.commits[:20]]
    return [patch for patch in found if patch is not None]
