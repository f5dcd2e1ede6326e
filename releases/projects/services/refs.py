"""What the remote's branches and tags are, as rows: new, moved, forced, deleted."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from django.db import transaction

from releases.git.repository import RefRow
from releases.ledger.models import Event
from releases.ledger.services import events_write

from ..models import Project, Ref

MOST_ROWS = 100
"""Ledger rows of one kind that one fetch may write; a remote whose thousand branches went says so in one row."""


@dataclass(frozen=True, slots=True)
class RefsChange:
    """What one fetch changed."""

    new: int = 0
    moved: int = 0
    forced: int = 0
    deleted: int = 0

    @property
    def total(self) -> int:
        return self.new + self.moved + self.deleted


def clean(text: str, longest: int) -> str:
    """Text from a repository made fit for every database: no NUL, no lone surrogates, not longer than its column."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode()[:longest]


def moment(seconds: int | None) -> datetime | None:
    """Unix seconds as a moment; None for none, and for dates that no calendar has (git takes any number)."""
    if seconds is None:
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def refs_record(project: Project, seen: Collection[RefRow], forced: Collection[str], at: datetime) -> RefsChange:
    """Bring the rows of refs in line with the mirror; one transaction, writes only what changed."""
    with transaction.atomic():
        known = {ref.name: ref for ref in Ref.objects.filter(project=project)}
        here = {ref.name for ref in seen}
        rows: list[Ref] = []
        events: list[Event] = []
        change = {"new": 0, "moved": 0, "forced": 0, "deleted": 0}
        for ref in seen:
            old = known.get(clean(ref.name, 300))
            if old is not None and old.sha == ref.sha and old.deleted_at is None:
                continue
            is_forced = old is not None and ref.name in forced
            change["forced"] += is_forced
            change["moved" if old is not None and old.deleted_at is None else "new"] += 1
            rows.append(_ref_row(project, ref, old, at, is_forced))
            if is_forced and old is not None:
                events.append(ref_event(project, "ref.forced", ref.name, old.sha, ref.sha))
        for name, old in known.items():
            if name not in here and old.deleted_at is None:
                old.deleted_at = at
                rows.append(old)
                change["deleted"] += 1
                events.append(ref_event(project, "ref.deleted", name, old.sha, ""))
        _refs_write(rows)
        events_write(events_bounded(project, events))
    return RefsChange(**change)


def _ref_row(project: Project, ref: RefRow, old: Ref | None, at: datetime, forced: bool) -> Ref:
    return Ref(
        project=project,
        name=clean(ref.name, 300),
        sha=ref.sha,
        commit=ref.commit,
        committed_at=moment(ref.committed_at),
        first_seen_at=old.first_seen_at if old else at,
        changed_at=at,
        forced_at=at if forced else old.forced_at if old else None,
        deleted_at=None,
    )


def _refs_write(rows: list[Ref]) -> None:
    for row in rows:
        row.pk = None
    Ref.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["project", "name"],
        update_fields=["sha", "commit", "committed_at", "changed_at", "forced_at", "deleted_at"],
    )


def ref_event(project: Project, kind: str, name: str, old: str, new: str) -> Event:
    """The fact that a ref was forced or deleted, or that a version tag was moved, with its sentence."""
    short = name.removeprefix("refs/heads/").removeprefix("refs/tags/")
    what = "tag" if name.startswith("refs/tags/") else "branch"
    why = {
        "ref.forced": f"The {what} {short} was moved other than forward, from {old[:10]} to {new[:10]}.",
        "ref.deleted": f"The {what} {short} is gone from the remote; it last stood at {old[:10]}.",
        "tag.moved": f"The version tag {short} names another commit than before: {new[:10]} instead of {old[:10]}.",
    }[kind]
    return Event(
        project=project, kind=kind, actor_name="git", subject=f"ref:{name}"[:300], old=old, new=new, why=clean(why, 900)
    )


def events_bounded(project: Project, events: Sequence[Event]) -> list[Event]:
    """At most `MOST_ROWS` of each kind; one more says how many are left out."""
    kept: list[Event] = []
    for kind in dict.fromkeys(event.kind for event in events):
        same = [event for event in events if event.kind == kind]
        kept += same[:MOST_ROWS]
        rest = len(same) - MOST_ROWS
        if rest > 0:
            kept.append(Event(project=project, kind=kind, actor_name="git", why=f"And {rest:,} more refs likewise."))
    return kept
