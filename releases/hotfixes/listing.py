"""Hotfixes as rows of a list, with filters that live in the address; a constant number of queries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.db.models import Count, Q, QuerySet

from releases.projects.models import Project

from .models import Hotfix, Untracked
from .stages import Stage, StageKey

SHOWS = ("open", "owed", "done", "closed", "all")
SORTS = ("age", "severity", "key")
SIZE = 25
MOST_UNTRACKED = 20


@dataclass(frozen=True, slots=True)
class HotfixQuery:
    """What somebody asked to see; anything odd in the address falls back to the default."""

    show: str = "open"
    stage: str = ""
    owner: str = ""
    """A user name, `me`, `nobody`, or empty for all."""
    severity: int = 0
    text: str = ""
    project: str = ""
    """Slug; only where the list spans projects."""
    sort: str = "age"
    page: int = 1

    @classmethod
    def from_params(cls, params: Mapping[str, str]) -> HotfixQuery:
        show, stage, sort = params.get("show", ""), params.get("stage", ""), params.get("sort", "")
        severity, page = params.get("severity", ""), params.get("page", "")
        return cls(
            show=show if show in SHOWS else "open",
            stage=stage if stage in set(StageKey) else "",
            owner=_plain(params.get("owner"), 150),
            severity=int(severity) if severity in ("1", "2", "3", "4") else 0,
            text=_plain(params.get("q"), 200),
            project=_plain(params.get("project"), 80),
            sort=sort if sort in SORTS else "age",
            page=int(page) if page.isascii() and page.isdigit() and 0 < len(page) < 7 else 1,
        )

    @property
    def narrowed(self) -> bool:
        """Whether anything but the segment hides rows."""
        return bool(self.stage or self.owner or self.severity or self.text or self.project)


@dataclass(frozen=True, slots=True)
class HotfixRow:
    """One ticket in a list."""

    pk: int
    project_id: int
    project_slug: str
    project_name: str
    key: str
    title: str
    severity: int
    owner: str
    """User name; empty for nobody."""
    stage: str
    stages: tuple[Stage, ...]
    owed: int
    closed: str
    branch: str
    tag: str
    created_at: datetime
    finished_at: datetime | None
    observed_at: datetime | None

    @property
    def stage_now(self) -> Stage | None:
        """The stage it is at, as observed."""
        return next((stage for stage in self.stages if stage.key == self.stage), None)


@dataclass(slots=True)
class HotfixList:
    """One page of the list."""

    query: HotfixQuery
    rows: list[HotfixRow]
    counts: dict[str, int]
    """By segment (SHOWS), under the same filters."""

    @property
    def total(self) -> int:
        return self.counts[self.query.show]

    @property
    def pages(self) -> int:
        return max(1, -(-self.total // SIZE))


SEGMENTS: dict[str, Q] = {
    "open": Q(closed="", finished_at=None),
    "owed": Q(owed_count__gt=0),
    "done": Q(closed="", finished_at__isnull=False),
    "closed": ~Q(closed=""),
    "all": Q(pk__gt=0),
}
_ORDERS = {
    "age": ("-created_at", "-pk"),
    "severity": ("severity", "-created_at", "-pk"),
    "key": ("key", "-pk"),
}


def hotfix_list(project: Project | None, user: Any, query: HotfixQuery) -> HotfixList:
    """The tickets of one project, or of all that this person may see. Two queries."""
    found = _filtered(project, user, query)
    counts = found.aggregate(**{name: Count("pk", filter=chosen) for name, chosen in SEGMENTS.items()})
    page = max(1, min(query.page, -(-counts[query.show] // SIZE)))
    start = (page - 1) * SIZE
    chosen = found.filter(SEGMENTS[query.show]).order_by(*_ORDERS[query.sort])
    rows = [_row(values) for values in chosen.values(*_FIELDS)[start : start + SIZE]]
    return HotfixList(replace(query, page=page), rows, counts)


def hotfix_count(user: Any, project: Project | None = None) -> int:
    """Tickets on which something is left to do, for the navigation. One query."""
    return _filtered(project, user, HotfixQuery()).filter(SEGMENTS["open"] | SEGMENTS["owed"]).count()


def untracked(project: Project | None, user: Any = None, limit: int = MOST_UNTRACKED) -> list[Untracked]:
    """Hotfix branches and patch tags without a ticket, the newest first: of one project, or of all this person sees."""
    rows = Untracked.objects.select_related("project")
    if project is not None:
        return list(rows.filter(project=project)[:limit])
    return list(rows.filter(project__in=Project.objects.seen_by(user))[:limit])


def _filtered(project: Project | None, user: Any, query: HotfixQuery) -> QuerySet[Hotfix]:
    found = Hotfix.objects.filter(project=project) if project is not None else _seen(user, query.project)
    if query.stage:
        found = found.filter(stage=query.stage)
    if query.severity:
        found = found.filter(severity=query.severity)
    if query.owner == "me":
        found = found.filter(owner=user)
    elif query.owner == "nobody":
        found = found.filter(owner=None)
    elif query.owner:
        found = found.filter(owner__username=query.owner)
    if query.text:
        text = query.text
        found = found.filter(
            Q(key__icontains=text) | Q(title__icontains=text) | Q(branch__icontains=text) | Q(tag__iexact=text)
        )
    return found


def _seen(user: Any, slug: str) -> QuerySet[Hotfix]:
    projects = Project.objects.seen_by(user)
    if slug:
        projects = projects.filter(slug=slug)
    return Hotfix.objects.filter(project__in=projects.order_by().values("pk"))


_FIELDS = (
    "pk", "project_id", "project__slug", "project__name", "key", "title", "severity", "owner__username", "stage",
    "stages", "owed_count", "closed", "branch", "tag", "created_at", "finished_at", "observed_at",
)  # fmt: skip


def _row(values: dict[str, Any]) -> HotfixRow:
    return HotfixRow(
        pk=values["pk"],
        project_id=values["project_id"],
        project_slug=values["project__slug"],
        project_name=values["project__name"],
        key=values["key"],
        title=values["title"],
        severity=values["severity"],
        owner=values["owner__username"] or "",
        stage=values["stage"],
        stages=stages_of(values["stages"]),
        owed=values["owed_count"],
        closed=values["closed"],
        branch=values["branch"],
        tag=values["tag"],
        created_at=values["created_at"],
        finished_at=values["finished_at"],
        observed_at=values["observed_at"],
    )


def stages_of(stored: Sequence[dict[str, Any]]) -> tuple[Stage, ...]:
    """Stored stages as values."""
    return tuple(Stage.from_data(item) for item in stored)


def _plain(value: Any, longest: int) -> str:
    return str(value or "").replace("\0", "").strip()[:longest]
