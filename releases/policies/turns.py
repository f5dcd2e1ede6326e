"""When a verdict turns: what its row says then, and what the ledger tells of it. No I/O."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from releases.evidence.verdicts import Code, FixVerdict
from releases.ledger.models import Event
from releases.projects.models import Project
from releases.projects.services.refs import clean, moment

from .models import Fix, Target, Verdict

MOST_COMMITS = 20
"""Commits of a fix whose evidence a ledger row carries."""


@dataclass(frozen=True, slots=True)
class Judged:
    """One answer and what stood there before."""

    project: Project
    fix: Fix
    target: Target
    answer: FixVerdict
    old: Verdict | None
    at: datetime
    keep_preview: bool
    """The answer comes without previews, and the target did not move: the one that stands is still true."""


def verdict_row(judged: Judged) -> Verdict:
    """The row as it should be now."""
    answer, old = judged.answer, judged.old
    owed = not answer.settled and not judged.fix.chore and judged.fix.present
    preview, detail = answer.preview.as_data() if answer.preview else None, answer.detail
    if owed and judged.keep_preview and old is not None and old.code == answer.verdict.value and preview is None:
        preview, detail = old.preview, old.detail or detail
    settled_at = _settled_at(judged)
    return Verdict(
        fix=judged.fix,
        target=judged.target,
        project=judged.project,
        code=answer.verdict.value,
        settled=answer.settled,
        owed=owed,
        why=clean(answer.why, 4000),
        detail=clean(detail, 200),
        commits=[commit.as_data() for commit in answer.commits],
        preview=preview,
        owed_since=_owed_since(judged) if owed else None,
        settled_at=settled_at,
        lag_seconds=_lag(judged, settled_at),
        judged_at=judged.at,
    )


def _owed_since(judged: Judged) -> datetime:
    """Since production has it and the target not; a target that had it and lost it owes since that was seen."""
    old = judged.old
    if old is not None and old.owed and old.owed_since is not None:
        return old.owed_since
    if old is not None and old.settled:
        return judged.at
    return judged.fix.live_since or judged.at


def _settled_at(judged: Judged) -> datetime | None:
    if not judged.answer.settled or judged.answer.verdict is Code.NOTHING_OWED:
        return None
    told, old = moment(judged.answer.settled_at), judged.old
    if told is not None:
        return _not_before_seen(judged, told)
    if old is None:
        return None
    return old.settled_at if old.settled else judged.at


def _not_before_seen(judged: Judged, told: datetime) -> datetime:
    """A commit that came with a merge has the date of its making: the target got it after it was last seen without."""
    old = judged.old
    if old is None or judged.answer.verdict is not Code.MERGED:
        return told
    if old.settled:
        return max(told, old.settled_at or told)
    return judged.at if told < old.judged_at else told


def _lag(judged: Judged, settled_at: datetime | None) -> int | None:
    if settled_at is None:
        return None
    if judged.answer.lag_seconds is not None and settled_at == moment(judged.answer.settled_at):
        return judged.answer.lag_seconds
    live = judged.fix.live_since
    return None if live is None else max(0, int((settled_at - live).total_seconds()))


def turn(judged: Judged, row: Verdict) -> Event | None:
    """The ledger row for what turned: became owed, was undone, was settled, or is judged otherwise than before.

    A fix that was settled already when it was first seen is no turn: nobody owed it here.
    """
    old = judged.old
    if row.owed and (old is None or not old.owed):
        undone = row.code == Code.REVERTED.value and old is not None and old.settled
        return _event(judged, row, "fix.reverted" if undone else "fix.owed")
    if old is None:
        return None
    if old.owed and row.settled:
        return _event(judged, row, "fix.settled")
    if old.code != row.code:
        return _event(judged, row, "fix.judged")
    return None


def _event(judged: Judged, row: Verdict, kind: str) -> Event:
    return Event(
        project=judged.project,
        kind=kind,
        actor_name="git",
        subject=f"fix:{judged.fix.key}",
        target=judged.target.branch,
        old=judged.old.code if judged.old else "",
        new=row.code,
        why=row.why,
        evidence={
            "commits": row.commits[:MOST_COMMITS],
            "tip": judged.target.tip,
            "lag_seconds": row.lag_seconds,
            "shipped_in": judged.fix.shipped_in,
        },
    )
