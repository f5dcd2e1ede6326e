"""The impact in numbers: what the facts say by themselves, and what people add."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.utils import timezone

from incidents.response.facts import exposure
from releases.hotfixes.stages import Stage, StageKey, StageState

from .models import Measure, PostMortem
from .opening import hotfixes_of


@dataclass(frozen=True, slots=True)
class Number:
    """One number of the impact."""

    name: str
    value: str
    measure: Measure | None = None
    """The row, where people wrote it; facts have none."""


def numbers(postmortem: PostMortem) -> list[Number]:
    """Facts first. What is not known is left out: never zero."""
    return [*_facts(postmortem), *(Number(row.name, row.value, row) for row in postmortem.measures.all())]


def _facts(postmortem: PostMortem) -> list[Number]:
    found: list[Number] = []
    hotfixes, incident = hotfixes_of(postmortem), postmortem.incident
    if incident is not None:
        for place in exposure(incident, hotfixes):
            found.append(Number(f"Live on {place.environment}", duration(place.lasted(timezone.now()))))
        noticed, began = incident.detected_at, incident.started_at
        if began is not None and noticed is not None and noticed >= began:
            found.append(Number("To notice", duration(noticed - began)))
        if incident.ended_at is not None and (since := began or noticed) is not None:
            found.append(Number("To restore", duration(incident.ended_at - since)))
        parts = list(incident.impacts.order_by("pk").values_list("component__name", flat=True))
        if parts:
            found.append(Number("Hurt", ", ".join(dict.fromkeys(parts))[:60]))
    lives = [moment for hotfix in hotfixes if (moment := reached(hotfix.stages, StageKey.PRODUCTION)) is not None]
    if lives and hotfixes:
        begun = min(hotfix.created_at for hotfix in hotfixes)
        if max(lives) >= begun:
            found.append(Number("Ticket to live", duration(max(lives) - begun)))
    return found


def reached(stages: list[dict[str, object]], key: StageKey) -> datetime | None:
    """When a hotfix came to this stage; None when it did not, or nobody knows."""
    for data in stages:
        stage = Stage.from_data(data)
        if stage.key == key and stage.state is StageState.DONE and stage.at is not None:
            return datetime.fromtimestamp(stage.at, UTC)
    return None


def duration(lasted: timedelta) -> str:
    """10 d 23 h, 2 h 11 m, 45 s."""
    seconds = max(0, int(lasted.total_seconds()))
    for size, name, small, smaller in ((86_400, "d", 3_600, "h"), (3_600, "h", 60, "m"), (60, "min", 1, "s")):
        if seconds >= size:
            whole, rest = divmod(seconds, size)
            return f"{whole} {name} {rest // small} {smaller}" if rest // small and name != "min" else f"{whole} {name}"
    return f"{seconds} s"
