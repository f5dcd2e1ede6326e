"""Find fixes and releases by what people have at hand: a ticket, a tag, the beginning of a sha, words of a subject."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, cast

from django.db.models import Case, Count, IntegerField, Q, QuerySet, Value, When

from releases.projects.models import Project, Release

from .models import Fix

LIMIT = 25
SHORTEST = 2
_SHA = re.compile(r"[0-9a-fA-F]{4,64}\Z")


@dataclass(slots=True)
class Found:
    """Per kind one list, at most `LIMIT` long; `more` names the kinds that had more."""

    projects: list[dict[str, Any]] = field(default_factory=list)
    fixes: list[dict[str, Any]] = field(default_factory=list)
    releases: list[dict[str, Any]] = field(default_factory=list)
    more: set[str] = field(default_factory=set)

    @property
    def total(self) -> int:
        return len(self.projects) + len(self.fixes) + len(self.releases)


def find(text: str, projects: QuerySet[Project]) -> Found:
    """Everything in `projects` that `text` may mean; three queries. Shorter than two characters finds nothing."""
    text = text.strip()
    if len(text) < SHORTEST:
        return Found()
    found = Found(
        _projects(text, projects),
        _fixes(text, projects),
        _releases(text, projects),
    )
    for kind in ("projects", "fixes", "releases"):
        rows = getattr(found, kind)
        if len(rows) > LIMIT:
            found.more.add(kind)
            setattr(found, kind, rows[:LIMIT])
    return found


def _projects(text: str, projects: QuerySet[Project]) -> list[dict[str, Any]]:
    rows = projects.filter(Q(name__icontains=text) | Q(slug__icontains=text)).order_by("name")
    return cast("list[dict[str, Any]]", list(rows.values("name", "slug")[: LIMIT + 1]))


def _fixes(text: str, projects: QuerySet[Project]) -> list[dict[str, Any]]:
    wanted = Q(ticket__icontains=text) | Q(subject__icontains=text) | Q(shipped_in__iexact=text)
    exact = [When(ticket__iexact=text, then=Value(0))]
    if _SHA.match(text):
        sha = Q(key__startswith=text.lower())
        if len(text) >= 7:
            # A commit inside of a merged fix.
            sha |= Q(commits__icontains=f'"sha": "{text.lower()}')
        wanted |= sha
        exact.append(When(sha, then=Value(0)))
    rows = Fix.objects.filter(wanted, project__in=projects.values("pk"), present=True)
    rank = Case(*exact, default=Value(1), output_field=IntegerField())
    owed = Count("verdicts", filter=Q(verdicts__owed=True))
    names = ("key", "subject", "ticket", "shipped_in", "live_since", "chore", "security", "owed",
             "project__name", "project__slug")  # fmt: skip
    return list(rows.annotate(rank=rank, owed=owed).order_by("rank", "-live_since", "-pk").values(*names)[: LIMIT + 1])


def _releases(text: str, projects: QuerySet[Project]) -> list[dict[str, Any]]:
    wanted = Q(tag__icontains=text) | Q(subject__icontains=text)
    exact = [When(tag__iexact=text, then=Value(0)), When(version__iexact=text, then=Value(0))]
    if _SHA.match(text):
        sha = Q(commit__startswith=text.lower()) | Q(tag_object__startswith=text.lower())
        wanted |= sha
        exact.append(When(sha, then=Value(0)))
    rows = Release.objects.filter(wanted, project__in=projects.values("pk"), deleted_at=None)
    rank = Case(*exact, default=Value(1), output_field=IntegerField())
    names = ("tag", "subject", "commit", "kind", "tagged_at", "project__name", "project__slug")
    return list(rows.annotate(rank=rank).order_by("rank", "-tagged_at", "-pk").values(*names)[: LIMIT + 1])
