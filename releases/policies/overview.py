"""What the overview says: how much is owed, for how long, and which release would bring it back. Reading only.

The number of queries does not depend on the number of projects, fixes or targets: open targets, what is owed grouped
by target, and one page of each list.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, F, Min, Q, QuerySet
from django.utils import timezone

from releases.evidence.verdicts import Code
from releases.projects.models import Project

from .models import Target, Verdict

ACT = (Code.MISSING.value, Code.PARTIAL.value, Code.REVERTED.value)
"""Owed for sure: somebody has to bring it over."""
CONFIRM = (Code.LIKELY.value, Code.DECLARED.value)
"""Probably there: somebody has to look."""
UNKNOWN = (Code.UNKNOWN.value,)
PAGE_SIZE = 25
_MAIN_KINDS = (Target.Kind.DEVELOP, Target.Kind.MAIN, Target.Kind.RELEASE, Target.Kind.SUPPORT)


@dataclass(slots=True)
class TargetRow:
    """An open target with what is owed to it."""

    pk: int
    project_id: int
    branch: str
    kind: str
    planned_version: str
    planned_for: datetime | None
    position: int
    act: int = 0
    confirm: int = 0
    unknown: int = 0
    oldest: datetime | None = None
    """Since when the oldest of `act` is owed."""


@dataclass(slots=True)
class Debt:
    """What is owed in a set of projects, by open target."""

    targets: list[TargetRow]
    main: dict[int, TargetRow] = field(default_factory=dict)
    """Project id → the one target that the sentence speaks of: develop, else main, else the first."""

    def __post_init__(self) -> None:
        for row in self.targets:
            known = self.main.get(row.project_id)
            if known is None or _rank(row) < _rank(known):
                self.main[row.project_id] = row

    @property
    def act(self) -> int:
        """Fixes owed to the main targets; one target per project, so no fix counts twice."""
        return sum(row.act for row in self.main.values())

    @property
    def unknown(self) -> int:
        return sum(row.unknown for row in self.main.values())

    @property
    def confirm(self) -> int:
        return sum(row.confirm for row in self.main.values())

    @property
    def confirm_everywhere(self) -> int:
        return sum(row.confirm for row in self.targets)

    @property
    def oldest(self) -> datetime | None:
        return min((row.oldest for row in self.main.values() if row.oldest), default=None)

    @property
    def elsewhere(self) -> list[TargetRow]:
        """The other targets that something is owed to, the most first."""
        main = {row.pk for row in self.main.values()}
        rows = [row for row in self.targets if row.act and row.pk not in main]
        return sorted(rows, key=lambda row: -row.act)

    def branches(self) -> list[str]:
        """Names of the main targets; those that something is owed to when there are any."""
        owing = {row.branch for row in self.main.values() if row.act}
        return sorted(owing or {row.branch for row in self.main.values()})


def _rank(row: TargetRow) -> tuple[int, int]:
    return _MAIN_KINDS.index(Target.Kind(row.kind)), row.position


def debt(projects: QuerySet[Project] | list[int], *, everything: bool = False) -> Debt:
    """Two queries. `everything` says that `projects` is every project there is but drills, which spares a subquery."""
    targets, owed = Target.objects.filter(closed_at=None), Verdict.objects.filter(owed=True)
    if everything:
        targets = targets.filter(project__drill_of=None)
    else:
        targets, owed = targets.filter(project__in=projects), owed.filter(project__in=projects)
    fields = ("pk", "project_id", "branch", "kind", "planned_version", "planned_for", "position")
    rows = {row[0]: TargetRow(*row) for row in targets.order_by("position", "branch").values_list(*fields)}
    counted = owed.values_list("target_id").annotate(
        act=Count("pk", filter=Q(code__in=ACT)),
        confirm=Count("pk", filter=Q(code__in=CONFIRM)),
        unknown=Count("pk", filter=Q(code__in=UNKNOWN)),
        oldest=Min("owed_since", filter=Q(code__in=ACT)),
    )
    for pk, act, confirm, unknown, oldest in counted:
        if row := rows.get(pk):
            row.act, row.confirm, row.unknown, row.oldest = act, confirm, unknown, oldest
    return Debt(list(rows.values()))


def owed_count(user: object, project: Project | None = None) -> int:
    """Fixes owed to the main target of each project that this person may see."""
    if project is not None:
        return debt([project.pk]).act
    return debt(Project.objects.seen_by(user)).act


_OWED_FIELDS = (
    "code", "detail", "preview", "owed_since", "target_id", "project_id", "fix__key", "fix__subject", "fix__ticket",
    "fix__shipped_in", "fix__security",
)  # fmt: skip


def owed_page(targets: Iterable[TargetRow], *, newest_first: bool, page: int) -> list[dict[str, Any]]:
    """One page of what is owed, or could not be judged, in the given targets. One query."""
    rows = Verdict.objects.filter(owed=True, code__in=ACT + UNKNOWN, target__in=[row.pk for row in targets])
    since = F("owed_since")
    order = since.desc(nulls_last=True) if newest_first else since.asc(nulls_last=True)
    start = (page - 1) * PAGE_SIZE
    return list(rows.order_by(order, "pk").values(*_OWED_FIELDS)[start : start + PAGE_SIZE])


def to_confirm(targets: Iterable[TargetRow], limit: int) -> list[dict[str, Any]]:
    """Probable counterparts that nobody has confirmed, one row per fix with all its branches, the newest fix first."""
    rows = Verdict.objects.filter(owed=True, code__in=CONFIRM, target__in=[row.pk for row in targets])
    names = ("code", "detail", "why", "owed_since", "target__branch", "fix_id", *_OWED_FIELDS[5:])
    by_fix: dict[int, dict[str, Any]] = {}
    for row in rows.order_by("-fix__live_since", "-fix_id", "target__position").values(*names)[: limit * 8]:
        kept = by_fix.setdefault(row["fix_id"], row | {"branches": []})
        kept["branches"].append(row["target__branch"])
    return list(by_fix.values())[:limit]


def brought_back(targets: Iterable[TargetRow], limit: int) -> list[dict[str, Any]]:
    """The fixes that the given targets got last after production had them, each with how long that took. One query."""
    rows = Verdict.objects.filter(
        target__in=[row.pk for row in targets],
        settled=True,
        lag_seconds__gt=0,
        settled_at__isnull=False,
        fix__chore=False,
    )
    names = ("lag_seconds", "settled_at", *_OWED_FIELDS[:2], *_OWED_FIELDS[4:])
    return list(rows.order_by("-settled_at", "-pk").values(*names)[:limit])


def to_confirm_count(targets: Iterable[TargetRow]) -> int:
    """Fixes that `to_confirm` would list without a limit. One query."""
    rows = Verdict.objects.filter(owed=True, code__in=CONFIRM, target__in=[row.pk for row in targets])
    return rows.values("fix").distinct().count()


@dataclass(frozen=True, slots=True)
class Gate:
    """Whether the release that comes next from a target would bring fixed bugs back."""

    target: TargetRow
    tone: str
    """bad: closed; warn: something is owed but not late, or somebody has to look; ok: open."""
    due: datetime | None = None
    """When the oldest owed fix passes the limit."""
    ships_first: bool = False
    """It ships before the oldest owed fix is due."""

    @property
    def closed(self) -> bool:
        return self.tone == "bad"


def gate_of(target: TargetRow, sla_hours: int, now: datetime) -> Gate:
    """Pure: closed when something owed is late, or when it would ship before it has to be merged back."""
    if not target.act:
        return Gate(target, "warn" if target.confirm or target.unknown else "ok")
    due = (target.oldest or now) + timedelta(hours=sla_hours)
    ships_first = target.planned_for is not None and target.planned_for < due
    undated_release = target.kind == Target.Kind.RELEASE and target.planned_for is None
    late = due <= now
    return Gate(target, "bad" if late or ships_first or undated_release else "warn", due, ships_first)


def next_gates(all_debt: Debt, sla_hours: dict[int, int]) -> list[Gate]:
    """For each project the release that comes next: an open release branch, else develop or main. Closed ones first."""
    now = timezone.now()
    by_project: dict[int, list[TargetRow]] = defaultdict(list)
    for row in all_debt.targets:
        by_project[row.project_id].append(row)
    gates = []
    for project_id, rows in by_project.items():
        releases = [row for row in rows if row.kind == Target.Kind.RELEASE]
        chosen = min(releases, key=_ships, default=all_debt.main[project_id])
        if chosen.kind != Target.Kind.SUPPORT:
            gates.append(gate_of(chosen, sla_hours[project_id], now))
    return sorted(gates, key=_urgency)


def project_gates(all_debt: Debt, sla_hours: int) -> list[Gate]:
    """Every release that is to come from this one project, the next first."""
    now = timezone.now()
    rows = [row for row in all_debt.targets if row.kind != Target.Kind.SUPPORT]
    return [gate_of(row, sla_hours, now) for row in sorted(rows, key=_ships)]


_FAR = datetime.max.replace(tzinfo=timezone.get_default_timezone())


def _ships(row: TargetRow) -> tuple[bool, datetime, int, str]:
    return row.kind != Target.Kind.RELEASE, row.planned_for or _FAR, row.position, row.branch


def _urgency(gate: Gate) -> tuple[int, datetime, int]:
    return ("bad", "warn", "ok").index(gate.tone), gate.target.planned_for or _FAR, -gate.target.act


def gate_fixes(gates: Iterable[Gate], each: int) -> dict[int, list[dict[str, Any]]]:
    """Target id → the fixes, oldest first, that keep its gate closed; at most `each`. One query."""
    closed = [gate.target.pk for gate in gates if gate.target.act]
    rows = Verdict.objects.filter(owed=True, code__in=ACT, target__in=closed).order_by("owed_since", "pk")
    found: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for row in rows.values(*_OWED_FIELDS)[: max(len(closed), 1) * each * 8]:
        if len(found[row["target_id"]]) < each:
            found[row["target_id"]].append(row)
    return found
