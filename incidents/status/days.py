"""The last ninety days of components, one bar a day, each with its words."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo

from django.db.models import Q
from django.utils import timezone

from incidents.response.models import Component, Health, Impact

DAYS = 90
WORDS = {
    Health.WORKING: "Working", Health.MAINTENANCE: "Being maintained", Health.DEGRADED: "Slow or partly failing",
    Health.PARTIAL: "Partly down", Health.DOWN: "Down",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Day:
    """One day of one component."""

    day: date
    health: Health
    minutes: int
    """For how long it was worse than working."""
    known: bool = True
    """It was watched by then."""

    @property
    def text(self) -> str:
        if not self.known:
            return f"{self.day:%-d %b}: not watched yet"
        if self.health is Health.WORKING:
            return f"{self.day:%-d %b}: no trouble"
        lasted = f"{self.minutes} min" if self.minutes < 120 else f"{self.minutes // 60} h {self.minutes % 60} min"
        return f"{self.day:%-d %b}: {WORDS[self.health].lower()}, {lasted}"


def days_of(components: Sequence[Component], now: datetime) -> dict[int, tuple[Day, ...]]:
    """The last ninety days of each, from public impacts. One query."""
    zone = timezone.get_default_timezone()
    today = now.astimezone(zone).date()
    first = today - timedelta(days=DAYS - 1)
    begin = datetime.combine(first, time.min, zone)
    hurt: dict[int, list[tuple[datetime, datetime, int]]] = defaultdict(list)
    rows = Impact.objects.filter(
        Q(until=None) | Q(until__gt=begin), component__in=components, incident__public=True, incident__drill=None
    ).values_list("component_id", "since", "until", "health", "incident__started_at", "incident__declared_at")
    for pk, since, until, health, started, declared in rows:
        # What was hurt when it was declared was hurt from its start.
        real = started if started and since <= declared + timedelta(minutes=1) else since
        hurt[pk].append((min(real, since), until or now, health))
    dates = [first + timedelta(days=number) for number in range(DAYS)]
    known = {row.pk: min([row.watched_since, *(a for a, *_ in hurt[row.pk])]) for row in components}
    return {row.pk: tuple(_day(day, hurt[row.pk], known[row.pk], zone) for day in dates) for row in components}


def _day(day: date, hurt: Sequence[tuple[datetime, datetime, int]], since: datetime, zone: tzinfo) -> Day:
    begin = datetime.combine(day, time.min, zone)
    end = datetime.combine(day + timedelta(days=1), time.min, zone)
    spans = [(max(a, begin), min(b, end), health) for a, b, health in hurt if a < end and b > begin]
    worst = max((health for *_, health in spans), default=int(Health.WORKING))
    return Day(day, Health(worst), round(_covered(spans).total_seconds() / 60), known=end > since)


def _covered(spans: Sequence[tuple[datetime, datetime, int]]) -> timedelta:
    """How long any of them lasted; what overlaps counts once."""
    total, reached = timedelta(), None
    for begin, end, _ in sorted(spans):
        start = begin if reached is None or begin > reached else reached
        if end > start:
            total += end - start
            reached = end
    return total
