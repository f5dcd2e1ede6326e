"""Rows of a project as light values: thousands of them are read at every look, a few fields of each."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import QuerySet

from releases.policies.models import Fix, Verdict
from releases.projects.models import Project, Release


class ReleaseRow(NamedTuple):
    """A version tag that is there."""

    tag: str
    commit: str
    kind: str
    sort_key: str
    on_production: bool
    tagged_at: datetime | None
    first_seen_at: datetime
    tagger: str
    subject: str


class FixRow(NamedTuple):
    """A fix of production that counts."""

    pk: int
    key: str
    ticket: str
    shipped_in: str
    live_since: datetime | None
    first_seen_at: datetime
    commits: list[dict[str, Any]]


class VerdictRow(NamedTuple):
    """What is known of one fix in one open target."""

    fix_id: int
    branch: str
    code: str
    settled: bool
    owed: bool
    settled_at: datetime | None


def _values(rows: QuerySet[Any], *fields: str) -> Any:
    return rows.order_by().values_list(*fields)


def release_rows(project: Project) -> dict[str, ReleaseRow]:
    """By tag."""
    rows = Release.objects.filter(project=project, deleted_at=None)
    return {row[0]: ReleaseRow(*row) for row in _values(rows, *ReleaseRow._fields)}


def fix_rows(project: Project) -> list[FixRow]:
    """Those that production has, chores left out."""
    rows = Fix.objects.filter(project=project, present=True, chore=False)
    return [FixRow(*row) for row in _values(rows, *FixRow._fields)]


def verdict_rows(project: Project, branches: dict[int, str]) -> list[VerdictRow]:
    """Those of the given open targets (key → branch), chores and what is gone left out."""
    rows = Verdict.objects.filter(project=project, target__in=branches, fix__present=True, fix__chore=False)
    found = _values(rows, "fix_id", "target_id", "code", "settled", "owed", "settled_at")
    return [VerdictRow(fix, branches[target], *rest) for fix, target, *rest in found]
