"""The score of a drill: what was done, how long it took, and how that compares. Facts in, plain data out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from releases.policies.flow import FlowPolicy

from .models import Drill
from .observing import TIMED, Observed

COMPARED = 5
"""Past drills of a project that the times are compared with."""


@dataclass(frozen=True, slots=True)
class Time:
    """One time of a drill beside that of the drills before it. Seconds."""

    key: str
    label: str
    took: float | None
    before: float | None
    """The median of the past drills; None when there is none to compare with."""

    @property
    def change(self) -> float | None:
        """How much longer it took than before; negative: less."""
        return None if self.took is None or self.before is None else self.took - self.before


def score_of(drill: Drill, seen: Observed) -> dict[str, Any]:
    """What is kept of a drill when it ends, to be read when its copy is long gone."""
    begun, policy = drill.started_at, FlowPolicy.from_data(drill.project.policy)
    counted = [step for step in seen.steps if step.needed]
    at = {step.key: step.at for step in counted if step.done and step.at is not None}
    # git tells whole seconds, so what was done within the first one seems older than the start.
    times = {key: max((at[key] - begun).total_seconds(), 0.0) for key in TIMED if key in at and begun is not None}
    back = at["merge-back"] - at["production"] if "merge-back" in at and "production" in at else None
    return {
        "done": sum(step.done for step in counted),
        "total": len(counted),
        "times": times,
        "steps": [
            {"key": step.key, "label": step.label, "done": step.done, "at": step.at.isoformat() if step.at else None,
             "detail": step.detail}
            for step in counted
        ],
        "hotfix": seen.hotfix.key if seen.hotfix else "",
        "hint": drill.hint_at is not None,
        "sla_hours": policy.sla_hours,
        "merge_back_seconds": back.total_seconds() if back else None,
        "within_sla": None if back is None else back.total_seconds() <= policy.sla_hours * 3600,
        "lasted": (drill.ended_at - begun).total_seconds() if drill.ended_at and begun else None,
    }  # fmt: skip


def compared(score: dict[str, Any], past: Sequence[dict[str, Any]]) -> list[Time]:
    """The times of one score beside those of the drills before it."""
    found = []
    for key, label in TIMED.items():
        known = [other["times"][key] for other in past if key in other.get("times", {})]
        found.append(Time(key, label, score.get("times", {}).get(key), median(known) if known else None))
    return found
