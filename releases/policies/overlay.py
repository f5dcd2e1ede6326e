"""A person's decision laid over what git found: whether it still holds, and what the verdict is then. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from releases.evidence.verdicts import Code

CONFIRMED, DIFFERENT, WAIVED = "confirmed", "different", "waived"
SETTLED_BY_GIT = "settled by git"
RAN_OUT = "ran out"
EVIDENCE_CHANGED = "the evidence changed"
CONFIRMABLE = (Code.LIKELY, Code.DECLARED)
DENIABLE = (Code.LIKELY, Code.DECLARED)
WAIVABLE: Sequence[Code] = (
    Code.MISSING, Code.PARTIAL, Code.REVERTED, Code.LIKELY, Code.DECLARED, Code.UNKNOWN,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Decided:
    """What a person decided about one fix and one target."""

    kind: str
    """confirmed, different or waived (`Settlement.Kind`)."""
    by: str
    reason: str
    at: datetime
    until: datetime | None = None
    counterparts: frozenset[str] = frozenset()
    """What was shown as evidence then."""


@dataclass(frozen=True, slots=True)
class Found:
    """What git says of one fix in one target."""

    code: Code
    settled: bool
    counterparts: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Laid:
    """The verdict as it counts."""

    code: Code
    settled: bool
    why: str
    detail: str


def counterparts_of(commits: Iterable[Mapping[str, Any]]) -> frozenset[str]:
    """Every counterpart of a verdict's commits (`CommitVerdict` as data)."""
    return frozenset(str(sha) for commit in commits for sha in commit.get("counterparts", ()))


def why_ended(decided: Decided, found: Found, at: datetime) -> str:
    """Why the decision no longer holds at this moment; empty while it does.

    What git settles by itself needs nobody's word, but for somebody's word that it is not the same.
    """
    if decided.kind == WAIVED:
        if decided.until is not None and decided.until <= at:
            return RAN_OUT
        return SETTLED_BY_GIT if found.settled else ""
    if decided.counterparts != found.counterparts:
        return SETTLED_BY_GIT if found.settled else EVIDENCE_CHANGED
    if decided.kind == CONFIRMED:
        if found.settled:
            return SETTLED_BY_GIT
        return "" if found.code in CONFIRMABLE else EVIDENCE_CHANGED
    return "" if found.code in DENIABLE else EVIDENCE_CHANGED


def laid_over(decided: Decided, code: Code) -> Laid:
    """What the verdict is while the decision holds; a confirmed one keeps the code that git gave it."""
    said = decided.reason
    if decided.kind == WAIVED:
        # At most 90 days ahead, so that the day and the month say which.
        day = f"{decided.until.day} {decided.until:%b}" if decided.until else "further notice"
        return Laid(Code.WAIVED, True, f"Waived by {decided.by} until {day}: {said}", f"until {day}")
    if decided.kind == DIFFERENT:
        return Laid(Code.MISSING, False, f"Not the same, says {decided.by}: {said}", f"not the same, says {decided.by}")
    return Laid(code, True, f"Confirmed by {decided.by}: {said}", f"confirmed by {decided.by}")
