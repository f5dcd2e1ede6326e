"""How an incident goes on, and how worries add up. Pure; no rows."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

ORDER = ("investigating", "identified", "monitoring", "resolved")
SPEAK_WITHIN = {1: timedelta(minutes=30), 2: timedelta(hours=1), 3: timedelta(hours=4), 4: timedelta(hours=24)}
"""By severity: the last public word of an open incident is not to be older than this."""
TIMES = ("started_at", "detected_at", "told_at", "ended_at")
"""The four honest times, in the order in which they can have happened."""
TIME_NAMES = {"started_at": "started", "detected_at": "detected", "told_at": "first public word", "ended_at": "ended"}


def reopens(old: str, new: str) -> bool:
    """Whether going from one state to the other takes back that it is over, which needs a reason."""
    return old == "resolved" and new != "resolved"


def calm(state: str) -> bool:
    """Whether what was hurt works again in this state, though it may still be watched."""
    return state in ("monitoring", "resolved")


def worst(baseline: int, contributions: Iterable[int]) -> int:
    """How a component is: its own state or what hurts it most, whichever is worse."""
    return max([baseline, *contributions])


def word_due(severity: int, spoke_at: datetime | None, since: datetime) -> datetime:
    """Until when the next public word of an open incident is due; `since` is when it was declared."""
    return (spoke_at or since) + SPEAK_WITHIN[severity]


def out_of_order(times: dict[str, datetime | None]) -> str:
    """The first contradiction among the times that are known, as a sentence; empty when there is none.

    The first public word may come before anything else is known, so it is compared with the end alone.
    """
    pairs = (("started_at", "detected_at"), ("started_at", "ended_at"), ("detected_at", "ended_at"))
    for early, late in pairs:
        first, second = times.get(early), times.get(late)
        if first is not None and second is not None and second < first:
            return f"It {_DID[late]} before it {_DID[early]}: one of the two is not right."
    return ""


_DID = {"started_at": "started", "detected_at": "was detected", "ended_at": "ended"}
