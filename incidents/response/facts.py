"""What git and deployments say about an incident: its timeline, what may come next, what speaks against an end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.utils import timezone

from releases.deploys.models import Environment, Run
from releases.hotfixes.models import Hotfix
from releases.hotfixes.stages import Stage, StageKey, StageState
from releases.ledger.models import Event
from releases.projects.models import Release

from .models import Incident, Update
from .services import subject_of
from .speakers import behind
from .states import TIME_NAMES

TOLD = {
    "branch": "branch cut", "tag": "tagged", "staging": "on staging", "production": "live in production",
    "verify": "verified", "merge-back": "merged back", "fix": "fix written", "review": "reviewed",
    "approval": "approved", "clean-up": "cleaned up",
}  # fmt: skip
"""Stages of a hotfix that stand on the timeline of an incident, in the words used there."""
_OWN = (
    "incident.declared", "incident.moved", "incident.reopened", "incident.hurts", "incident.timed", "incident.linked",
    "incident.unlinked", "incident.edited",
)  # fmt: skip
_WHEN = {
    "started_at": "started", "detected_at": "was detected", "told_at": "was first told of", "ended_at": "ended",
}  # fmt: skip
_OVER = (StageState.DONE, StageState.SKIPPED)


@dataclass(frozen=True, slots=True)
class Fact:
    """One line of the timeline."""

    at: datetime
    kind: str
    """said, state, git, deploy or note: how it looks."""
    text: str
    who: str
    event: Event | None = None
    update: Update | None = None


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A next state that the facts speak for."""

    state: str
    says: str


@dataclass(frozen=True, slots=True)
class Exposure:
    """How long one environment ran the bad release without its fix; None as an end: it still does."""

    environment: str
    since: datetime
    until: datetime | None

    def lasted(self, now: datetime) -> timedelta:
        return (self.until or now) - self.since


def timeline(incident: Incident) -> list[Fact]:
    """Everything that happened, newest first: what was said, what changed, and what linked hotfixes went through."""
    facts = [_said(update) for update in incident.updates.select_related("author", "corrects", "corrected_by")]
    own = Event.objects.filter(project=incident.project_id, subject=subject_of(incident), kind__in=_OWN)
    facts += [_own(event, incident) for event in own]
    for hotfix in incident.hotfixes.all():
        facts += hotfix_facts(hotfix)
    return sorted(facts, key=lambda fact: fact.at, reverse=True)


def _own(event: Event, incident: Incident) -> Fact:
    """What changed, in a whole sentence: of some rows the reason alone is in `why`."""
    at, text = _happened(event), event.why
    if event.kind == "incident.timed":
        at, text = _timed(event, incident)
    elif event.kind == "incident.reopened":
        text = f"{incident.key} is open again: {event.why}"
    elif event.kind == "incident.unlinked":
        text = f"{event.old} is no part of it any more: {event.why}"
    return Fact(at, "state", text, event.actor_name, event=event)


def _timed(event: Event, incident: Incident) -> tuple[datetime, str]:
    """A time that was set stands where it says that it happened, as long as it is the one that counts."""
    name = next((name for name, words in TIME_NAMES.items() if words == event.target), "")
    known = datetime.fromisoformat(event.new) if event.new != "not known" else None
    if known is None:
        return event.at, f"When it {_WHEN.get(name, event.target)} is not known: {event.why}"
    if known == getattr(incident, name, None):
        return known, f"It {_WHEN[name]}: {event.why}"
    local = timezone.localtime(known)
    return event.at, f"When it {_WHEN.get(name, event.target)} was set to {local:%-d %b, %H:%M}: {event.why}"


def hotfix_facts(hotfix: Hotfix) -> list[Fact]:
    """What a hotfix went through, from the ledger, at the times at which it happened (not at which it was seen)."""
    rows = Event.objects.filter(project=hotfix.project_id, subject=f"hotfix:{hotfix.key}", kind="hotfix.stage")
    facts = []
    for event in rows:
        word = TOLD.get(event.target)
        if word is None or event.new not in (StageState.DONE, StageState.FAILED):
            continue
        failed = event.new == StageState.FAILED
        when = event.at if failed else _happened(event)
        text = event.why if failed else f"{hotfix.key}: {word}{_where(event)}."
        kind = "deploy" if event.target in ("staging", "production", "verify", "approval") else "git"
        facts.append(Fact(when, kind, text, behind(hotfix, event), event=event))
    return facts


def _happened(event: Event) -> datetime:
    """When it happened, which may have been before it was seen or written down."""
    at = event.evidence.get("at")
    return datetime.fromtimestamp(at, UTC) if at else event.at


def suggestion(incident: Incident, hotfixes: Sequence[Hotfix]) -> Suggestion | None:
    """The state that the facts of the linked hotfixes speak for, when it is further on than the present one."""
    State = Incident.State  # noqa: N806 - the choices are a class
    if not hotfixes or not incident.is_open:
        return None
    verified = all(_over(hotfix, StageKey.PRODUCTION) and _over(hotfix, StageKey.VERIFY) for hotfix in hotfixes)
    if verified and incident.state in (State.INVESTIGATING, State.IDENTIFIED):
        return Suggestion(State.MONITORING, "The fix is live and verified: move to Monitoring?")
    found = any(_done(hotfix, StageKey.FIX) for hotfix in hotfixes)
    if found and incident.state == State.INVESTIGATING:
        return Suggestion(State.IDENTIFIED, "A fix is written, so the cause is known: move to Identified?")
    settled = all(_over(hotfix, StageKey.MERGE_BACK) for hotfix in hotfixes)
    if verified and settled and incident.state == State.MONITORING:
        return Suggestion(State.RESOLVED, "The fix is live, verified, and in every branch: resolve it?")
    return None


def warnings(incident: Incident, hotfixes: Sequence[Hotfix]) -> list[str]:
    """What speaks against calling it over, in sentences. A constant number of queries."""
    found = []
    for hotfix in hotfixes:
        if not _done(hotfix, StageKey.PRODUCTION):
            found.append(f"{hotfix.key} is not live in production.")
        elif hotfix.owed_count:
            branches = "a branch" if hotfix.owed_count == 1 else f"{hotfix.owed_count} branches"
            found.append(f"{hotfix.key} is still missing from {branches}: the next release would bring the bug back.")
    return found + _rolled_back(incident, hotfixes)


def exposure(incident: Incident, hotfixes: Sequence[Hotfix]) -> list[Exposure]:
    """For each environment, from when the release that brought the bug went live there until its fix did.

    Empty while that release is not known. Without environments, production alone, by its tags.
    """
    bad = incident.introduced_by
    if bad is None:
        return []
    tags = [hotfix.tag for hotfix in hotfixes if hotfix.tag]
    runs = Run.objects.filter(project=incident.project_id, live_at__isnull=False, tag__in=[bad.tag, *tags])
    by_place: dict[str, dict[bool, datetime]] = {}
    for name, tag, live_at in runs.order_by("live_at").values_list("environment__name", "tag", "live_at"):
        if live_at is not None:
            by_place.setdefault(name or "", {}).setdefault(tag == bad.tag, live_at)
    found = [Exposure(name, times[True], times.get(False)) for name, times in sorted(by_place.items()) if True in times]
    return found or _by_tags(incident, bad, hotfixes)


def _by_tags(incident: Incident, bad: Release, hotfixes: Sequence[Hotfix]) -> list[Exposure]:
    if Environment.objects.filter(project=incident.project_id, retired_at=None).exists() or bad.tagged_at is None:
        return []
    ends = [moment for hotfix in hotfixes if (moment := _reached(hotfix, StageKey.PRODUCTION)) is not None]
    return [Exposure("production", bad.tagged_at, max(ends, default=None))]


def _rolled_back(incident: Incident, hotfixes: Sequence[Hotfix]) -> list[str]:
    """Production environments that run an older release than the fix's."""
    tags = {hotfix.tag: hotfix for hotfix in hotfixes if hotfix.tag}
    if not tags:
        return []
    releases = {
        row.tag: row.sort_key
        for row in Release.objects.filter(project=incident.project_id, tag__in=tags, deleted_at=None)
    }
    places = Environment.objects.filter(
        project=incident.project_id, kind=Environment.Kind.PRODUCTION, retired_at=None, live__release__isnull=False
    ).select_related("live__release")
    found = []
    for place in places:
        running = place.live.release if place.live else None
        for tag, hotfix in tags.items():
            if running is not None and tag in releases and running.sort_key < releases[tag]:
                found.append(f"{place.name} runs {running.tag}, which lacks {hotfix.key}.")
    return found


def _said(update: Update) -> Fact:
    who = update.author.get_username() if update.author else "operator"
    return Fact(update.at, "said" if update.public else "note", update.text, who, update=update)


def _where(event: Event) -> str:
    tag = str(event.evidence.get("tag") or "")
    return f" ({tag})" if tag and event.target in ("tag", "staging", "production", "verify") else ""


def _stage(hotfix: Hotfix, key: StageKey) -> Stage | None:
    return next((Stage.from_data(stage) for stage in hotfix.stages if stage["key"] == key), None)


def _done(hotfix: Hotfix, key: StageKey) -> bool:
    stage = _stage(hotfix, key)
    return stage is not None and stage.state is StageState.DONE


def _over(hotfix: Hotfix, key: StageKey) -> bool:
    stage = _stage(hotfix, key)
    return stage is not None and stage.state in _OVER


def _reached(hotfix: Hotfix, key: StageKey) -> datetime | None:
    stage = _stage(hotfix, key)
    return datetime.fromtimestamp(stage.at, UTC) if stage is not None and stage.at is not None else None
