"""Releases as rows for pages: the list over all projects, and one release with its neighbours."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.db.models import Q, QuerySet

from .models import Project, Ref, Release

SIZE = 50
KINDS = tuple(kind.value for kind in Release.Kind)


@dataclass(frozen=True, slots=True)
class ReleaseQuery:
    """What somebody asked to see; anything odd in the address falls back to the default."""

    kind: str = ""
    production: str = ""
    """yes, no, or empty for both."""
    project: str = ""
    """Slug."""
    text: str = ""
    page: int = 1

    @classmethod
    def from_params(cls, params: Mapping[str, str]) -> ReleaseQuery:
        kind, production, page = params.get("kind", ""), params.get("production", ""), params.get("page", "")
        return cls(
            kind=kind if kind in KINDS else "",
            production=production if production in ("yes", "no") else "",
            project=params.get("project", "")[:80].replace("\0", ""),
            text=params.get("q", "").replace("\0", "").strip()[:200],
            page=int(page) if page.isascii() and page.isdigit() and 0 < len(page) < 7 else 1,
        )

    @property
    def narrowed(self) -> bool:
        return bool(self.kind or self.production or self.project or self.text)


@dataclass(slots=True)
class ReleasePage:
    """One page of the list."""

    query: ReleaseQuery
    rows: list[dict[str, Any]]
    total: int

    @property
    def pages(self) -> int:
        return max(1, -(-self.total // SIZE))


_FIELDS = (
    "pk", "project_id", "tag", "commit", "kind", "tagger", "subject", "tagged_at", "on_production", "commit_total",
    "moved_at", "deleted_at",
)  # fmt: skip


def releases_page(project_ids: Sequence[int] | None, query: ReleaseQuery) -> ReleasePage:
    """The releases of these projects (None: of all), newest first; two queries whatever their number."""
    found = _wanted(project_ids, query)
    total = found.count()
    page = max(1, min(query.page, -(-total // SIZE)))
    start = (page - 1) * SIZE
    rows = list(found.order_by("-tagged_at", "-pk").values(*_FIELDS)[start : start + SIZE])
    return ReleasePage(replace(query, page=page), rows, total)


def _wanted(project_ids: Sequence[int] | None, query: ReleaseQuery) -> QuerySet[Release]:
    found = Release.objects.all() if project_ids is None else Release.objects.filter(project_id__in=project_ids)
    if query.kind:
        found = found.filter(kind=query.kind)
    if query.production:
        found = found.filter(on_production=query.production == "yes")
    if query.text:
        text = query.text
        found = found.filter(
            Q(tag__icontains=text) | Q(subject__icontains=text) | Q(commit__startswith=text.lower())
        )  # fmt: skip
    return found


def release_find(project: Project, tag: str) -> Release | None:
    return Release.objects.filter(project=project, tag=tag).select_related("previous").first()


def release_next(release: Release) -> Release | None:
    """The release that follows it in its own history, the earliest when several do."""
    return Release.objects.filter(previous=release).order_by("tagged_at", "pk").first()


def newest_tags(project: Project, limit: int = 300) -> list[str]:
    """Tags to offer for comparing, newest version first."""
    tags = Release.objects.filter(project=project, deleted_at__isnull=True).order_by("-sort_key")
    return list(tags.values_list("tag", flat=True)[:limit])


@dataclass(frozen=True, slots=True)
class Point:
    """A place in history that somebody named, with the object id it stands for now."""

    name: str
    sha: str
    is_tag: bool = False


def point_find(project: Project, name: str) -> Point | None:
    """The commit that a tag, a branch or a whole object id names.

    Names are looked up among the refs last seen, never handed to git.
    """
    name = name.strip()
    if not name or len(name) > 300 or "\0" in name:
        return None
    if re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", name):
        return Point(name, name)
    release = Release.objects.filter(project=project, tag=name, deleted_at__isnull=True).values("commit").first()
    if release:
        return Point(name, release["commit"], is_tag=True)
    full = [f"refs/heads/{name}", f"refs/tags/{name}", name]
    refs = {
        ref["name"]: ref["commit"]
        for ref in Ref.objects.filter(project=project, name__in=full, deleted_at__isnull=True).values("name", "commit")
    }
    for candidate in full:
        if refs.get(candidate):
            return Point(name, refs[candidate], is_tag=candidate.startswith("refs/tags/"))
    return None
