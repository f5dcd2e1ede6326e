"""What pages of releases show of incidents: a strip on overviews, a button on a hotfix's page, a count on the tab."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import F, Max, Min, OuterRef, Q, Subquery
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from hotfixdash.accounts.roles import Act
from incidents.response.models import Incident
from incidents.response.selectors import open_by_project, open_count
from incidents.response.states import word_due
from incidents.status.models import StatusPage
from releases.hotfixes.models import Hotfix
from releases.projects.models import Project
from releases.views import links as places
from releases.views.access import may
from releases.views.icons import icon

from . import links

SHOWN = 3
"""Incidents in the strip, the worst and newest first."""


@dataclass(slots=True)
class Shown:
    """One open incident, ready for the strip."""

    row: Any
    """With `spoke_at`, `fix_key` and `page_slug`."""
    now: datetime

    @property
    def url(self) -> str:
        return links.incident(self.row.key)

    @property
    def began(self) -> datetime | None:
        return self.row.started_at or self.row.detected_at  # type: ignore[no-any-return]

    @property
    def word_due(self) -> datetime | None:
        """When a public word was due that was not said; None while nobody waits for one."""
        if not self.row.public:
            return None
        due = word_due(self.row.severity, self.row.spoke_at, self.row.declared_at)
        return due if due <= self.now else None

    @property
    def fix_url(self) -> str:
        return places.hotfix(self.row.project.slug, self.row.fix_key) if self.row.fix_key else ""

    @property
    def page_url(self) -> str:
        return links.status(self.row.page_slug) if self.row.page_slug and self.row.public else ""


def on_overview(pks: Sequence[int], project: Project | None) -> str:
    """Open incidents of these projects; without any nothing is asked, otherwise one query."""
    counts = open_by_project()
    total = sum(counts.get(pk, 0) for pk in pks)
    if not total:
        return ""
    now = timezone.now()
    rows = [Shown(row, now) for row in _open_rows(pks)]
    slug = project.slug if project else ""
    context = {"rows": rows, "more": max(0, total - len(rows)), "all_url": links.incidents(slug), "one": bool(project)}
    return str(render_to_string("incidents/_strip.html", context))


def _open_rows(pks: Sequence[int]) -> Sequence[Any]:
    page = StatusPage.objects.filter(visibility=StatusPage.Visibility.PUBLIC, projects=OuterRef("project"))
    rows = Incident.objects.exclude(state=Incident.State.RESOLVED).filter(project__in=pks, drill=None)
    return list(
        rows.select_related("project")
        .annotate(
            spoke_at=Max("updates__at", filter=Q(updates__public=True)),
            fix_key=Min("hotfixes__key"),
            page_slug=Subquery(page.order_by("pk").values("slug")[:1]),
        )
        .order_by(F("severity").asc(), "-number")[:SHOWN]
    )


def on_hotfix(request: HttpRequest, hotfix: Hotfix) -> SafeString:
    """One press to its incident, or to declare one that is tied to it."""
    found = list(hotfix.incidents.order_by("-number").values_list("number", "title")[:SHOWN])
    if found:
        named = ((Incident.key_of(number), title) for number, title in found)
        rows = ((links.incident(key), title, icon("siren"), key) for key, title in named)
        return format_html_join("", '<a class="btn" href="{}" title="{}">{}{}</a>', rows)
    if hotfix.is_closed or not may(request, Act.HOTFIX):
        return SafeString("")
    url = links.declare(hotfix.project.slug, hotfix=hotfix.key, next=places.hotfix(hotfix.project.slug, hotfix.key))
    return format_html('<a class="btn" href="{}" id="declare">{}Declare an incident</a>', url, icon("siren"))


def on_tab(person: Any, project: Project | None, fresh: bool) -> int:
    """Open incidents among what this person may see."""
    return open_count(person, project, fresh=fresh)
