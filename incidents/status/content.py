"""What a status page says, as plain data: words for people outside, no names, no internals."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from django.db.models import Prefetch, Q
from django.utils import timezone

from incidents.response.components import health_of
from incidents.response.models import Component, Health, Impact, Incident, Maintenance, Update
from releases.hotfixes.models import Hotfix
from releases.hotfixes.stages import Stage, StageKey, StageState

from .days import WORDS, Day, days_of
from .models import StatusPage

RECENT = timedelta(days=14)
"""Incidents that ended within this time stand below the open ones; older ones only in the bars and the feed."""
FEED = 30


@dataclass(frozen=True, slots=True)
class Said:
    """One public update; `corrected` is what it said before."""

    at: datetime
    state: str
    label: str
    text: str
    pk: int
    corrected: str = ""


@dataclass(frozen=True, slots=True)
class Progress:
    """One step of the fix: done at a time, happening now, or to come."""

    label: str
    state: str
    """done, run or next."""
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """An incident as people outside know it."""

    key: str
    title: str
    impact: str
    state: str
    label: str
    began: datetime | None
    ended: datetime | None
    said: tuple[Said, ...]
    steps: tuple[Progress, ...]
    components: tuple[str, ...]
    afterword: str
    changed: datetime

    @property
    def is_open(self) -> bool:
        return self.state != Incident.State.RESOLVED


@dataclass(frozen=True, slots=True)
class Part:
    """A component with its ninety days."""

    pk: int
    """By which subscribers choose it."""
    name: str
    says: str
    health: Health
    watched: bool
    """An incident that hurt it is being monitored: it works again."""
    days: tuple[Day, ...]

    @property
    def word(self) -> str:
        return "Watching" if self.watched else WORDS[self.health]

    @property
    def known_days(self) -> int:
        """Those since it is watched."""
        return sum(day.known for day in self.days)

    @property
    def good_days(self) -> int:
        return sum(day.known and day.health in (Health.WORKING, Health.MAINTENANCE) for day in self.days)


@dataclass(frozen=True, slots=True)
class Planned:
    title: str
    text: str
    starts: datetime
    ends: datetime
    running: bool
    components: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Content:
    """All of a page."""

    slug: str
    title: str
    says: str
    parts: tuple[Part, ...]
    open: tuple[Told, ...]
    recent: tuple[Told, ...]
    feed: tuple[Told, ...] = field(default=())
    planned: tuple[Planned, ...] = ()
    zone: str = "UTC"
    today: date = date.min

    @property
    def worst(self) -> Health:
        return max((part.health for part in self.parts), default=Health.WORKING)

    @property
    def headline(self) -> str:
        """The whole state in a few plain words."""
        hurting = [told for told in self.open if told.state != Incident.State.MONITORING]
        if len(hurting) > 1:
            return f"{len(hurting)} things are not working as they should."
        if hurting:
            return _sentence(hurting[0].title)
        if self.open:
            return "It works again. We are watching it."
        if any(plan.running for plan in self.planned):
            return "We are doing planned work."
        bad = [part.name for part in self.parts if part.health > Health.MAINTENANCE]
        return f"{', '.join(bad)}: not working as it should." if bad else "Everything is working."


def content_of(page: StatusPage, now: datetime | None = None) -> Content:
    """What this page says at this moment; a constant number of queries."""
    moment = now or timezone.now()
    zone = timezone.get_default_timezone()
    components = _components(page)
    told = _incidents(page, components)
    healths = health_of(components, moment)
    days = days_of(components, moment)
    watched = _watched(told)
    parts = tuple(
        Part(
            row.pk, row.name, row.says, healths[row.pk], row.pk in watched and healths[row.pk] == row.baseline,
            days[row.pk],
        )
        for row in components
    )  # fmt: skip
    shown = [_told(incident) for incident in told]
    recent = [row for row in shown if not row.is_open and row.ended and row.ended > moment - RECENT]
    return Content(
        slug=page.slug, title=page.title, says=page.says, parts=parts, zone=str(zone), feed=tuple(shown),
        open=tuple(row for row in shown if row.is_open), recent=tuple(recent),
        planned=tuple(_planned(page, components, moment)), today=moment.astimezone(zone).date(),
    )  # fmt: skip


def _components(page: StatusPage) -> list[Component]:
    rows = Component.objects.filter(project__in=page.projects.all(), retired_at=None)
    if page.components.exists():
        rows = rows.filter(pk__in=page.components.all())
    return list(rows.order_by("project__name", "order", "name"))


def _incidents(page: StatusPage, components: Sequence[Component]) -> list[Incident]:
    """Open ones and the newest of the others, which hurt something on this page, or nothing that has a name."""
    mine = Q(impacts__component__in=components) | Q(impacts=None)
    rows = Incident.objects.filter(mine, project__in=page.projects.all(), public=True, drill=None).distinct()
    public = Update.objects.filter(public=True).select_related("corrects", "corrected_by").order_by("-at", "-pk")
    both = (
        Prefetch("updates", public, to_attr="public_updates"),
        Prefetch("impacts", Impact.objects.select_related("component"), to_attr="all_impacts"),
        Prefetch("hotfixes", Hotfix.objects.order_by("pk"), to_attr="all_hotfixes"),
    )
    current = rows.exclude(state=Incident.State.RESOLVED).order_by("-number")
    past = rows.filter(state=Incident.State.RESOLVED).order_by("-number")[:FEED]
    return [*current.prefetch_related(*both), *past.prefetch_related(*both)]


def _told(incident: Incident) -> Told:
    updates: list[Update] = incident.public_updates  # type: ignore[attr-defined]
    impacts: list[Impact] = incident.all_impacts  # type: ignore[attr-defined]
    said = tuple(_said(update) for update in updates if not hasattr(update, "corrected_by"))
    stamps = [update.written_at for update in updates] + [impact.until or impact.since for impact in impacts]
    return Told(
        key=incident.key, title=incident.title, impact=incident.impact, state=incident.state,
        label=incident.get_state_display(), began=incident.started_at or incident.detected_at, ended=incident.ended_at,
        said=said, steps=_steps(incident), afterword=incident.afterword,
        components=tuple(dict.fromkeys(impact.component.name for impact in impacts)),
        changed=max([incident.declared_at, *stamps]),
    )  # fmt: skip


def _said(update: Update) -> Said:
    before = update.corrects.text if update.corrects else ""
    return Said(update.at, update.state, update.get_state_display(), update.text, update.pk, before)


def _steps(incident: Incident) -> tuple[Progress, ...]:
    """How far the fix is, from the facts of the linked hotfixes: the one that is furthest behind counts."""
    hotfixes: list[Hotfix] = incident.all_hotfixes  # type: ignore[attr-defined]
    if not hotfixes:
        return ()
    rows = (
        ("Cause found", (StageKey.FIX,)),
        ("Fix tested", (StageKey.TESTS, StageKey.STAGING)),
        ("Deployed to production", (StageKey.PRODUCTION,)),
        ("Verified", (StageKey.VERIFY,)),
    )
    steps: list[Progress] = []
    for label, keys in rows:
        done, at = _all_done(hotfixes, keys)
        if not done or (steps and steps[-1].state != "done"):
            now = not steps or steps[-1].state == "done"
            steps.append(Progress(_doing(label) if now else label, "run" if now else "next"))
        else:
            steps.append(Progress(label, "done", at))
    return tuple(steps)


def _doing(label: str) -> str:
    return {
        "Cause found": "Looking for the cause", "Fix tested": "Testing the fix",
        "Deployed to production": "Being deployed", "Verified": "Being verified",
    }[label]  # fmt: skip


def _all_done(hotfixes: Iterable[Hotfix], keys: Sequence[StageKey]) -> tuple[bool, datetime | None]:
    """Whether every hotfix is over these stages, and when the last of them was."""
    latest: float | None = None
    for hotfix in hotfixes:
        stages = {stage.key: stage for stage in map(Stage.from_data, hotfix.stages)}
        live = stages.get(StageKey.PRODUCTION)
        shipped = live is not None and live.state is StageState.DONE
        for key in keys:
            stage = stages.get(key)
            if stage is None or stage.state not in (StageState.DONE, StageState.SKIPPED):
                return False, None
            if stage.state is StageState.SKIPPED and not shipped:
                # Nobody tells of this step here: it counts as soon as the fix is live.
                return False, None
            if stage.at is not None:
                latest = max(latest or 0.0, stage.at)
    return True, datetime.fromtimestamp(latest, UTC) if latest else None


def _watched(incidents: Iterable[Incident]) -> set[int]:
    """Components of incidents that are being monitored."""
    return {
        impact.component_id
        for incident in incidents
        if incident.state == Incident.State.MONITORING
        for impact in incident.all_impacts  # type: ignore[attr-defined]
    }


def _planned(page: StatusPage, components: Sequence[Component], now: datetime) -> list[Planned]:
    """Work on something on this page, or on nothing that has a name."""
    mine = Q(components__in=components) | Q(components=None, project__in=page.projects.all())
    rows = (
        Maintenance.objects.filter(mine, cancelled_at=None, ends_at__gt=now)
        .distinct()
        .prefetch_related("components")
        .order_by("starts_at")[:10]
    )
    return [
        Planned(
            row.title, row.text, row.starts_at, row.ends_at, row.starts_at <= now,
            tuple(component.name for component in row.components.all()),
        )
        for row in rows
    ]  # fmt: skip


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."
