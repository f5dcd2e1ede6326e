"""What pages of releases show of post-mortems: what is overdue on overviews, a button on a hotfix's page."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.core.cache import cache
from django.db.models import Q
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from incidents.postmortems.actions import overdue
from incidents.postmortems.models import PostMortem
from incidents.postmortems.writing import OPEN
from incidents.response.models import Incident
from releases.hotfixes.models import Hotfix
from releases.projects.models import Project
from releases.views.access import may
from releases.views.icons import icon

from . import postmortem_links as here
from .postmortem_access import WRITE

SHOWN = 4
"""Lines of each kind, the longest overdue first."""
OVERDUE = "postmortems-overdue"
KEPT = 20
"""Seconds for which projects with something overdue are kept: nothing is late by seconds."""


def on_overview_side(pks: Sequence[int], project: Project | None) -> str:
    """Overdue post-mortems and action items of these projects; without any nothing is asked."""
    now = timezone.now()
    if overdue_projects(now).isdisjoint(pks):
        return ""
    documents = list(
        PostMortem.objects.filter(project__in=pks, state__in=OPEN, due_at__lte=now, drill=None)
        .select_related("project", "owner")
        .order_by("due_at")[: SHOWN + 1]
    )
    items = list(overdue(now).filter(postmortem__project__in=pks).order_by("due_on", "pk")[: SHOWN + 1])
    context = {
        "documents": [(row, here.document(row.key)) for row in documents[:SHOWN]],
        "items": [(row, here.document(row.postmortem.key, "s-actions")) for row in items[:SHOWN]],
        "more": len(documents) > SHOWN or len(items) > SHOWN, "one": project is not None,
        "actions_url": here.actions(show="overdue"), "library_url": here.library(show="overdue"),
    }  # fmt: skip
    return str(render_to_string("incidents/_postmortem_strip.html", context))


def overdue_projects(now: datetime) -> set[int]:
    """Projects in which anything is overdue, by key. Every overview asks, so it is kept for a moment; one query."""
    found: set[int] | None = cache.get(OVERDUE)
    if found is None:
        documents = PostMortem.objects.filter(state__in=OPEN, due_at__lte=now, drill=None)
        items = overdue(now).select_related(None)
        rows = documents.order_by().values_list("project").union(items.order_by().values_list("postmortem__project"))
        found = {pk for (pk,) in rows}
        cache.set(OVERDUE, found, KEPT)
    return found


def on_hotfix(request: HttpRequest, hotfix: Hotfix) -> SafeString:
    """One press to what was learned from it."""
    row = PostMortem.objects.filter(Q(hotfix=hotfix) | Q(incident__hotfixes=hotfix)).first()
    if row is None or not request.user.is_authenticated or (row.state in OPEN and not may(request, WRITE)):
        return SafeString("")
    return format_html('<a class="btn" href="{}">{}{}</a>', here.document(row.key), icon("lightbulb"), row.key)


def on_incident(request: HttpRequest, incident: Incident) -> SafeString:
    """What is learned from it, for colleagues; a link for those who may read it already."""
    row = PostMortem.objects.filter(incident=incident).select_related("owner").first()
    if row is None or not request.user.is_authenticated:
        return SafeString("")
    may_read = row.state not in OPEN or may(request, WRITE)
    context = {"row": row, "url": here.document(row.key) if may_read else ""}
    return SafeString(render_to_string("incidents/_postmortem_of_incident.html", context))
