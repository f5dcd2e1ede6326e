"""The merge-back matrix as rows for a page: fixes down, open targets across, a constant number of queries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import IntEnum
from itertools import groupby
from typing import Any

from django.db.models import Count, Q, QuerySet
from django.utils import timezone

from .models import Fix, Settlement, Target, Verdict
from .overview import ACT

SHOWS = ("all", "owed", "confirm", "settled", "waived", "chores")
SORTS = ("age", "live", "ticket")
SIZES = (25, 50)
PERIODS = (7, 30, 90, 365)


class Group(IntEnum):
    """Why a row stands where it stands, most pressing first.

    Owed means that somebody has to bring the fix over (`ACT`); to confirm, that it is not settled otherwise: git found
    something that may be it, or could not tell.
    """

    FIRST = 0
    ELSEWHERE = 1
    CONFIRM = 2
    SETTLED = 3
    CHORES = 4


@dataclass(frozen=True, slots=True)
class MatrixQuery:
    """What somebody asked to see; anything odd in the address falls back to the default."""

    show: str = "all"
    target: str = ""
    """Short branch name; then only this column is judged and shown."""
    text: str = ""
    author: str = ""
    days: int = 0
    """Live since at most this many days; 0 for the whole history."""
    sort: str = "age"
    page: int = 1
    size: int = SIZES[0]

    @classmethod
    def from_params(cls, params: Mapping[str, str]) -> MatrixQuery:
        show, sort = params.get("show", ""), params.get("sort", "")
        days, size = _number(params.get("days")), _number(params.get("per"))
        return cls(
            show=show if show in SHOWS else "all",
            target=params.get("target", "")[:250],
            text=_plain(params.get("q")),
            author=_plain(params.get("author")),
            days=days if days in PERIODS else 0,
            sort=sort if sort in SORTS else "age",
            page=max(1, _number(params.get("page"))),
            size=size if size in SIZES else SIZES[0],
        )

    @property
    def narrowed(self) -> bool:
        """Whether anything but the segment hides rows."""
        return bool(self.target or self.text or self.author or self.days)


@dataclass(frozen=True, slots=True)
class Column:
    """One open target."""

    pk: int
    project_id: int
    branch: str
    kind: str
    kind_label: str
    planned_version: str
    planned_for: datetime | None
    owed: int = 0
    confirm: int = 0

    @property
    def says(self) -> str:
        """The line below the branch: what this branch becomes."""
        if self.planned_version:
            return self.planned_version
        return self.kind_label.lower()


@dataclass(frozen=True, slots=True)
class Cell:
    """One verdict; `code` is empty when the pair was not judged."""

    target_id: int
    code: str
    detail: str
    settled: bool


@dataclass(frozen=True, slots=True)
class Row:
    """One fix with a cell per column."""

    pk: int
    project_id: int
    key: str
    subject: str
    ticket: str
    shipped_in: str
    live_since: datetime | None
    author_name: str
    security: bool
    production_ref: str
    """The line of production that it lives on."""
    group: Group
    cells: tuple[Cell, ...]


@dataclass(slots=True)
class Matrix:
    """A page of the matrix."""

    query: MatrixQuery
    columns: list[Column]
    offered: list[Column]
    """Every open target, also when one was chosen."""
    groups: list[tuple[Group, int, list[Row]]]
    """Group, how many fixes it holds in all, and its rows on this page."""
    counts: dict[str, int]
    """By segment (`SHOWS`), under the same filters."""
    total: int
    """Rows of the chosen segment, all pages."""

    @property
    def pages(self) -> int:
        return max(1, -(-self.total // self.query.size))

    @property
    def rows(self) -> Iterable[Row]:
        return (row for _, _, rows in self.groups for row in rows)


@dataclass(slots=True)
class _Open:
    """What is not settled about one fix."""

    group: Group = Group.CONFIRM
    confirm: bool = False


def matrix(project_ids: Sequence[int], query: MatrixQuery) -> Matrix:
    """The page of the matrix that `query` asks for, over one project or several."""
    offered = columns = _columns(project_ids)
    if query.target:
        columns = [column for column in columns if column.branch == query.target] or columns
    fixes = _filtered(project_ids, query)
    unsettled, per_target = _unsettled(project_ids, columns, query)
    waived = _waived(project_ids, columns, query)
    counted = fixes.aggregate(all=Count("pk", filter=Q(chore=False)), chores=Count("pk", filter=Q(chore=True)))
    counts = {
        "all": counted["all"],
        "owed": sum(state.group is not Group.CONFIRM for state in unsettled.values()),
        "confirm": sum(state.confirm for state in unsettled.values()),
        "settled": max(0, counted["all"] - len(unsettled)),
        "waived": len(waived),
        "chores": counted["chores"],
    }
    total = counts[query.show]
    last = max(1, -(-total // query.size))
    query = replace(query, page=min(query.page, last))
    pks = _page(fixes.filter(pk__in=waived) if query.show == "waived" else fixes, unsettled, query)
    columns = [_counted(column, per_target) for column in columns]
    rows = _rows(pks, columns, unsettled, query.show == "chores")
    sizes = _group_sizes(_wanted(unsettled, query), counts)
    if query.show == "waived":
        sizes = {group: sum(row.group is group for row in rows) for group in Group}
    groups = [(group, sizes[group], list(members)) for group, members in groupby(rows, key=lambda row: row.group)]
    return Matrix(query=query, columns=columns, offered=offered, groups=groups, counts=counts, total=total)


def _counted(column: Column, per_target: dict[tuple[int, bool], int]) -> Column:
    return replace(
        column, owed=per_target.get((column.pk, True), 0), confirm=per_target.get((column.pk, False), 0)
    )  # fmt: skip


def _wanted(unsettled: dict[int, _Open], query: MatrixQuery) -> dict[int, _Open]:
    """The unsettled fixes that the chosen segment shows."""
    if query.show == "confirm":
        return {pk: state for pk, state in unsettled.items() if state.confirm}
    if query.show == "owed":
        return {pk: state for pk, state in unsettled.items() if state.group is not Group.CONFIRM}
    return unsettled if query.show == "all" else {}


def _columns(project_ids: Sequence[int]) -> list[Column]:
    rows = (
        Target.objects.filter(project_id__in=project_ids, closed_at__isnull=True)
        .order_by("project_id", "position", "branch")
        .values_list("pk", "project_id", "branch", "kind", "planned_version", "planned_for")
    )
    labels = dict(Target.Kind.choices)
    return [
        Column(pk, project, branch, kind, str(labels.get(kind, kind)), version, planned)
        for pk, project, branch, kind, version, planned in rows
    ]


def _filtered(project_ids: Sequence[int], query: MatrixQuery) -> QuerySet[Fix]:
    return Fix.objects.filter(_fix_filter(query), project_id__in=project_ids, present=True).order_by()


def _fix_filter(query: MatrixQuery, prefix: str = "") -> Q:
    """The search, author and period as a condition on fixes, or on what stands behind `prefix`."""
    wanted = Q()
    if query.text:
        wanted &= (
            Q(**{f"{prefix}subject__icontains": query.text})
            | Q(**{f"{prefix}ticket__icontains": query.text})
            | Q(**{f"{prefix}shipped_in__iexact": query.text})
            | Q(**{f"{prefix}key__startswith": query.text.lower()})
        )
    if query.author:
        wanted &= Q(**{f"{prefix}author_name__icontains": query.author})
    if query.days:
        wanted &= Q(**{f"{prefix}live_since__gte": timezone.now() - timedelta(days=query.days)})
    return wanted


def _unsettled(
    project_ids: Sequence[int], columns: Sequence[Column], query: MatrixQuery
) -> tuple[dict[int, _Open], dict[tuple[int, bool], int]]:
    """What is open about each fix, longest waiting first, and by (target, to act on) how many fixes.

    One query, over what is open only.
    """
    shown = {column.pk for column in columns}
    first = set(_first_targets(columns).values())
    # In order of waiting, so that the order of the answer says who waits longest and no date has to travel.
    owed = Verdict.objects.filter(
        _fix_filter(query, "fix__"), project_id__in=project_ids, owed=True, target__closed_at__isnull=True
    ).order_by("owed_since", "-fix_id")
    if query.target:
        owed = owed.filter(target_id__in=shown)
    fixes: dict[int, _Open] = {}
    per_target: dict[tuple[int, bool], int] = {}
    for fix, target, code in owed.values_list("fix_id", "target_id", "code"):
        act = code in ACT
        per_target[target, act] = per_target.get((target, act), 0) + 1
        state = fixes.get(fix)
        if state is None:
            state = fixes[fix] = _Open()
        if not act:
            state.confirm = True
        elif target in first:
            state.group = Group.FIRST
        elif state.group is Group.CONFIRM:
            state.group = Group.ELSEWHERE
    return fixes, per_target


def _waived(project_ids: Sequence[int], columns: Sequence[Column], query: MatrixQuery) -> set[int]:
    """Fixes that a person waived in one of these targets, for as long as that holds."""
    standing = Settlement.objects.filter(
        _fix_filter(query, "fix__"), project_id__in=project_ids, ended_at=None, kind=Settlement.Kind.WAIVED,
        target_id__in=[column.pk for column in columns], fix__present=True, fix__chore=False,
    )  # fmt: skip
    return set(standing.values_list("fix_id", flat=True))


def _first_targets(columns: Sequence[Column]) -> dict[int, int]:
    """By project, the target that counts most: the first column."""
    first: dict[int, int] = {}
    for column in columns:
        first.setdefault(column.project_id, column.pk)
    return first


def _page(fixes: QuerySet[Fix], unsettled: dict[int, _Open], query: MatrixQuery) -> list[int]:
    """Primary keys of the fixes on this page, in order."""
    start, end = (query.page - 1) * query.size, query.page * query.size
    if query.show == "chores":
        return list(_ordered(fixes.filter(chore=True), query)[start:end])
    if query.show == "waived":
        page = list(_ordered(fixes, query)[start:end])
        return sorted(page, key=lambda pk: unsettled[pk].group if pk in unsettled else Group.SETTLED)
    leading = _leading(fixes, unsettled, query)
    page = leading[start:end]
    if query.show in ("all", "settled") and len(page) < query.size:
        rest = fixes.filter(chore=False).exclude(pk__in=unsettled) if unsettled else fixes.filter(chore=False)
        offset = max(0, start - len(leading))
        page += _ordered(rest, query)[offset : offset + query.size - len(page)]
    return page


def _leading(fixes: QuerySet[Fix], unsettled: dict[int, _Open], query: MatrixQuery) -> list[int]:
    """The unsettled fixes in order: by group, then as asked; oldest debt first unless asked otherwise."""
    wanted = _wanted(unsettled, query)
    if query.sort == "age":
        return sorted(wanted, key=lambda pk: unsettled[pk].group)
    ordered = list(_ordered(fixes.filter(pk__in=wanted), query))
    return sorted(ordered, key=lambda pk: unsettled[pk].group)


def _ordered(fixes: QuerySet[Fix], query: MatrixQuery) -> QuerySet[Fix, int]:
    keys = ["ticket", "-live_since", "-pk"] if query.sort == "ticket" else ["-live_since", "-pk"]
    return fixes.order_by(*keys).values_list("pk", flat=True)


def _rows(pks: list[int], columns: Sequence[Column], unsettled: dict[int, _Open], chores: bool) -> list[Row]:
    cells: dict[tuple[int, int], tuple[str, str, bool]] = {}
    wanted = Verdict.objects.filter(fix_id__in=pks, target_id__in=[column.pk for column in columns]).order_by()
    for fix, target, code, detail, settled in wanted.values_list("fix_id", "target_id", "code", "detail", "settled"):
        cells[fix, target] = code, detail, settled
    by_project: dict[int, list[Column]] = {}
    for column in columns:
        by_project.setdefault(column.project_id, []).append(column)
    rows = {}
    last = Group.CHORES if chores else Group.SETTLED
    fields = ("pk", "project_id", "key", "subject", "ticket", "shipped_in", "live_since", "author_name", "security",
              "production_ref")  # fmt: skip
    for values in Fix.objects.filter(pk__in=pks).order_by().values(*fields):
        pk, mine = values["pk"], by_project.get(values["project_id"], ())
        of = tuple(Cell(column.pk, *cells.get((pk, column.pk), ("", "", False))) for column in mine)
        rows[pk] = Row(**values, group=unsettled[pk].group if pk in unsettled else last, cells=of)
    return [rows[pk] for pk in pks if pk in rows]


def _group_sizes(unsettled: dict[int, _Open], counts: dict[str, int]) -> dict[Group, int]:
    sizes: dict[Group, int] = dict.fromkeys(Group, 0)
    for state in unsettled.values():
        sizes[state.group] += 1
    sizes[Group.SETTLED] = counts["settled"]
    sizes[Group.CHORES] = counts["chores"]
    return sizes


def _plain(value: Any) -> str:
    """A search as typed, without NUL (which PostgreSQL refuses) and no longer than any name."""
    return str(value or "").replace("\0", "").strip()[:200]


def _number(value: Any) -> int:
    text = str(value or "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 7 else 0
