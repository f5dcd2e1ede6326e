"""Windows in which an environment takes no deployments: dated ones, and weekly ones in the environment's time zone.

Weekly windows are computed on the wall clock of the zone: "Friday 16:00" stays 16:00 when the clocks change. Where a
wall-clock time happens twice, a window begins at the first and ends at the second; where it does not happen at all, it
begins or ends at the moment the clocks jump. Windows that touch are one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from releases.ledger.services import event_write

from .errors import DeployRefused
from .models import Environment, Freeze

AHEAD = timedelta(days=60)
"""How far ahead the next window is looked for."""
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_ONE_DAY = timedelta(days=1)
_FAR = timedelta(days=200)


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch without deployments; `ends` itself is free again."""

    starts: datetime
    ends: datetime
    why: str


def zone_of(environment: Environment) -> ZoneInfo:
    """The zone that its windows are written in."""
    return ZoneInfo(environment.time_zone or settings.TIME_ZONE)


def moment_says(moment: datetime, environment: Environment) -> str:
    """A moment as the environment's team reads it: `Mon 23 Nov, 08:00 (Europe/Berlin)`; with its year when not near."""
    zone = zone_of(environment)
    local = moment.astimezone(zone)
    year = f" {local.year}" if abs(moment - timezone.now()) > _FAR else ""
    return f"{local:%a} {local.day} {local:%b}{year}, {local:%H:%M} ({zone.key})"


def freeze_now(environment: Environment, now: datetime, freezes: Iterable[Freeze] | None = None) -> Window | None:
    """The window that holds the environment at this moment, with its very end; None when it is open."""
    held = [window for window in windows(environment, now, now + AHEAD, freezes) if window.starts <= now]
    return next((window for window in held if window.ends > now), None)


def next_freeze(environment: Environment, now: datetime, freezes: Iterable[Freeze] | None = None) -> Window | None:
    """The next window that has not begun yet, within the next 60 days."""
    return next((window for window in windows(environment, now, now + AHEAD, freezes) if window.starts > now), None)


def windows(
    environment: Environment, since: datetime, until: datetime, freezes: Iterable[Freeze] | None = None
) -> list[Window]:
    """Every window that touches the time from `since` to `until`, in order; those that touch each other as one."""
    zone = zone_of(environment)
    known = environment.freezes.all() if freezes is None else freezes
    found = sorted(
        (window for freeze in known for window in _windows(freeze, zone, since, until)),
        key=lambda window: (window.starts, window.ends),
    )
    joined: list[Window] = []
    for window in found:
        if joined and window.starts <= joined[-1].ends:
            last = joined.pop()
            why = last.why if window.why in last.why.split("; ") else f"{last.why}; {window.why}"
            window = Window(last.starts, max(last.ends, window.ends), why)
        joined.append(window)
    return [window for window in joined if window.ends > since]


def _windows(freeze: Freeze, zone: ZoneInfo, since: datetime, until: datetime) -> Iterator[Window]:
    if freeze.starts_at is not None and freeze.ends_at is not None:
        if freeze.starts_at <= until:
            yield Window(freeze.starts_at, freeze.ends_at, freeze.why)
        return
    begins, ends = freeze.from_time or time(0), freeze.until_time or time(0)
    over_night = _ONE_DAY if ends <= begins else timedelta(0)
    # A week back, so that windows which touch are one from its very begin.
    day, last = since.astimezone(zone).date() - 8 * _ONE_DAY, until.astimezone(zone).date()
    while day <= last:
        if day.weekday() in freeze.weekdays:
            starts, stops = moment(day, begins, zone, late=False), moment(day + over_night, ends, zone, late=True)
            if stops > starts:
                yield Window(starts, stops, freeze.why)
        day += _ONE_DAY


def moment(day: date, clock: time, zone: ZoneInfo, *, late: bool) -> datetime:
    """When a clock on the wall shows this; of two such moments the `late` one or the first.

    A time that the clocks jump over stands for the moment of the jump.
    """
    wall = datetime.combine(day, clock.replace(tzinfo=None, fold=0))
    first, second = (wall.replace(fold=fold, tzinfo=zone).astimezone(UTC) for fold in (0, 1))
    if first.astimezone(zone).replace(tzinfo=None, fold=0) != wall:
        return _jump(second, first, zone)
    return max(first, second) if late else min(first, second)


def _jump(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """The second at which the zone's offset changes between two moments."""
    old = before.astimezone(zone).utcoffset()
    while after - before > timedelta(seconds=1):
        middle = before + timedelta(seconds=int((after - before).total_seconds()) // 2)
        if middle.astimezone(zone).utcoffset() == old:
            before = middle
        else:
            after = middle
    return after


def freeze_says(freeze: Freeze) -> str:
    """When it holds, in words: `Friday, Saturday 16:00–08:00`; dated ones name their two moments in their own zone."""
    if freeze.starts_at is not None and freeze.ends_at is not None:
        zone = zone_of(freeze.environment)
        starts, ends = freeze.starts_at.astimezone(zone), freeze.ends_at.astimezone(zone)
        return f"{starts:%-d %b %Y %H:%M} to {ends:%-d %b %Y %H:%M}"
    days = ", ".join(DAYS[number] for number in sorted(freeze.weekdays))
    begins, ends_ = freeze.from_time or time(0), freeze.until_time or time(0)
    return f"{days} all day" if begins == ends_ == time(0) else f"{days} {begins:%H:%M}–{ends_:%H:%M}"


def freeze_add(
    environment: Environment, why: str, *, actor: Any = None, starts_at: datetime | None = None,
    ends_at: datetime | None = None, weekdays: Iterable[int] = (), from_time: time | None = None,
    until_time: time | None = None,
) -> Freeze:  # fmt: skip
    """Add a dated window (both moments) or a weekly one (days on which it begins). Raises `DeployRefused`."""
    days = sorted(set(weekdays))
    fault = _fault(why, starts_at, ends_at, days)
    if fault:
        raise DeployRefused("freeze", fault)
    with transaction.atomic():
        made = Freeze.objects.create(
            environment=environment, why=why.strip()[:200], starts_at=starts_at, ends_at=ends_at, weekdays=days,
            from_time=from_time, until_time=until_time, made_by=actor,
        )  # fmt: skip
        _tell("environment.freeze-added", made, actor)
    return made


def _fault(why: str, starts_at: datetime | None, ends_at: datetime | None, days: list[int]) -> str:
    if not why.strip():
        return "Say why nothing may be deployed then."
    if days and (starts_at or ends_at):
        return "A window has either two dates or days of the week, not both."
    if any(day not in range(7) for day in days):
        return "Days of the week are numbered from 0 (Monday) to 6 (Sunday)."
    if days:
        return ""
    if starts_at is None or ends_at is None:
        return "Say from when until when, or on which days of the week."
    return "" if ends_at > starts_at else "It would end before it begins."


def freeze_end(freeze: Freeze, actor: Any = None, now: datetime | None = None) -> None:
    """End a window: a dated one that has begun ends now and stays on record, any other is taken away."""
    now = now or timezone.now()
    begun = freeze.starts_at is not None and freeze.starts_at < now
    with transaction.atomic():
        rows = Freeze.objects.filter(pk=freeze.pk)
        changed = rows.filter(ends_at__gt=now).update(ends_at=now) if begun else rows.delete()[0]
        if changed:
            _tell("environment.freeze-ended", freeze, actor)


def _tell(kind: str, freeze: Freeze, actor: Any) -> None:
    event_write(
        kind, project_id=freeze.environment.project_id, actor=actor, actor_name="" if actor else "operator",
        subject=f"environment:{freeze.environment.name}", why=f"{freeze_says(freeze)}: {freeze.why}",
    )  # fmt: skip
