"""Finding post-mortems: by state, by words, and by the files that a fix touched: has this been seen before?"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import Case, Count, IntegerField, Q, QuerySet, Value, When

from incidents.response.models import Incident
from releases.hotfixes.models import Hotfix
from releases.projects.models import Project

from .models import ActionItem, Factor, Line, PostMortem, Section
from .opening import hotfixes_of
from .writing import OPEN

LOOKED_AT = 500
"""Hotfixes of a project whose files are compared, the newest first."""
MOST_TERMS = 8
_SEARCHED: tuple[tuple[type[Any], str], ...] = (
    (Section, "text"), (Factor, "text"), (Line, "text"), (ActionItem, "title"),
)  # fmt: skip
_ENDINGS = ("ing", "ed", "es", "s")


def postmortems_of(user: Any, project: Project | None = None, *, drafts: bool = True) -> QuerySet[PostMortem]:
    """Those that this person may read, newest first, without those of drills; `drafts`: the unpublished ones too."""
    rows = PostMortem.objects.filter(project__in=Project.objects.seen_by(user), drill=None)
    if project is not None:
        rows = rows.filter(project=project)
    if not drafts:
        rows = rows.exclude(state__in=OPEN)
    return (
        rows.select_related("project", "owner", "incident", "hotfix")
        .order_by("-number")
        .annotate(
            action_total=Count("actions", filter=~Q(actions__state=ActionItem.State.DROPPED), distinct=True),
            action_open=Count("actions", filter=Q(actions__state=ActionItem.State.OPEN), distinct=True),
        )
    )


def overdue_of(rows: QuerySet[PostMortem], now: datetime) -> QuerySet[PostMortem]:
    """Those that were to be published by now."""
    return rows.filter(state__in=OPEN, due_at__lte=now)


def terms_of(text: str) -> list[str]:
    """The words of a search; what stands in quotes is one."""
    found = re.findall(r'"([^"]+)"|(\S+)', text.replace("\0", "")[:200])
    return [term for quoted, word in found if (term := (quoted or word).strip('".,;:!?()'))][:MOST_TERMS]


def searched(rows: QuerySet[PostMortem], text: str) -> QuerySet[PostMortem]:
    """Those in which every word occurs, in a title, a part, a factor, a line or an action; titles first.

    PostgreSQL compares words by their stems; SQLite looks for the letters, without a plural's ending.
    """
    terms = terms_of(text)
    if not terms:
        return rows
    for term in terms:
        rows = rows.filter(_holds(term))
    in_title = [When(_named(term), then=Value(0)) for term in terms]
    return rows.annotate(far=Case(*in_title, default=Value(1), output_field=IntegerField())).order_by("far", "-number")


def _named(term: str) -> Q:
    """By its own key, or those of what it tells of, or a word of the title."""
    found = Q(title__icontains=_stem(term)) | Q(hotfix__key__iexact=term)
    key = re.fullmatch(r"(PM|INC)-(\d{1,9})", term, re.IGNORECASE | re.ASCII)
    if key is not None:
        field = "number" if key[1].upper() == "PM" else "incident__number"
        found |= Q(**{field: int(key[2])})
    return found


def _holds(term: str) -> Q:
    found = _named(term)
    for model, field in _SEARCHED:
        found |= Q(pk__in=_rows_with(model.objects, field, term).values("postmortem"))
    return found | Q(pk__in=_rows_with(PostMortem.objects, "title", term).values("pk"))


def _rows_with(rows: Any, field: str, term: str) -> Any:
    if connection.vendor != "postgresql":
        return rows.filter(**{f"{field}__icontains": _stem(term)})
    from django.contrib.postgres.search import SearchQuery, SearchVector

    wanted = SearchQuery(term, config="english", search_type="phrase")
    return rows.annotate(words=SearchVector(field, config="english")).filter(words=wanted)


def _stem(term: str) -> str:
    """Without the ending of a plural or a past: so that "timeouts" finds "timeout"."""
    low = term.casefold()
    for ending in _ENDINGS:
        if low.endswith(ending) and len(low) - len(ending) >= 4:
            return term[: -len(ending)]
    return term


def excerpt(text: str, terms: Sequence[str], around: int = 90) -> tuple[str, str, str] | None:
    """What stands before the first hit, the hit, and what stands after it; None without one."""
    for term in terms:
        match = re.search(re.escape(_stem(term)) + r"\w*", text, re.IGNORECASE)
        if match is not None:
            start, end = max(0, match.start() - around), match.end() + around
            before = ("…" if start else "") + text[start : match.start()]
            after = text[match.end() : end] + ("…" if end < len(text) else "")
            return " ".join(before.split()) + " ", match[0], " " + " ".join(after.split())
    return None


@dataclass(frozen=True, slots=True)
class Before:
    """A fix that touched the same files, with what was learned then."""

    hotfix: Hotfix
    incident: Incident | None
    postmortem: PostMortem | None
    files: tuple[str, ...]
    """The files that both touched."""
    actions: tuple[ActionItem, ...]
    """Open ones of its post-mortem."""


def seen_before(postmortem: PostMortem, most: int = 5) -> list[Before]:
    """Earlier fixes of the same files, those with the most files in common first. A constant number of queries."""
    own = hotfixes_of(postmortem)
    paths = {path for hotfix in own for path in hotfix.change.get("paths", [])}
    if not paths:
        return []
    others = (
        Hotfix.objects.filter(project=postmortem.project_id)
        .exclude(pk__in=[hotfix.pk for hotfix in own])
        .exclude(change={})
        .order_by("-pk")
    )
    shared = [
        (row, tuple(sorted(paths & set(row.change.get("paths", ())))))
        for row in others.only("key", "title", "change", "project")[:LOOKED_AT]
    ]
    found = sorted((pair for pair in shared if pair[1]), key=lambda pair: -len(pair[1]))[:most]
    return _told([row for row, _ in found], [files for _, files in found])


def _told(hotfixes: Sequence[Hotfix], files: Sequence[tuple[str, ...]]) -> list[Before]:
    pks = [row.pk for row in hotfixes]
    incidents = {
        pk: incident
        for incident in Incident.objects.filter(hotfixes__in=pks, drill=None).prefetch_related("hotfixes")
        for pk in (row.pk for row in incident.hotfixes.all())
    }
    documents = PostMortem.objects.filter(Q(hotfix__in=pks) | Q(incident__hotfixes__in=pks), drill=None)
    by_hotfix: dict[int, PostMortem] = {}
    for row in documents.prefetch_related("actions", "incident__hotfixes").distinct():
        told = {row.hotfix_id} | ({one.pk for one in row.incident.hotfixes.all()} if row.incident else set())
        by_hotfix |= {pk: row for pk in told if pk is not None}
    found = []
    for hotfix, shared in zip(hotfixes, files, strict=True):
        document = by_hotfix.get(hotfix.pk)
        still = document.actions.all() if document else ()
        open_ones = tuple(item for item in still if item.state == ActionItem.State.OPEN)
        found.append(Before(hotfix, incidents.get(hotfix.pk), document, shared, open_ones))
    return found
