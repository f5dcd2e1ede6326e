"""The library of post-mortems, every action item, and opening one by hand."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.core.paginator import Paginator
from django.db.models import F, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils import timezone
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_http_methods, require_safe

from incidents.forms_postmortems import OpenForm
from incidents.postmortems.actions import action_trailer
from incidents.postmortems.library import excerpt, overdue_of, postmortems_of, searched, terms_of
from incidents.postmortems.models import ActionItem, PostMortem
from incidents.postmortems.opening import postmortem_open
from incidents.postmortems.writing import OPEN
from incidents.response.models import Incident
from incidents.tasks import announce_soon
from releases import live
from releases.hotfixes.models import Hotfix
from releases.policies.typed import typed
from releases.projects.models import Project
from releases.views import asking, live_part
from releases.views.access import get_project, may
from releases.views.asking import Done, Question

from . import postmortem_links as here
from .postmortem_access import WRITE, signed_in
from .postmortem_words import MANAGE_WORDS

PAGE = 25
_SHOWS = (("all", "All"), ("writing", "Being written"), ("published", "Published"), ("overdue", "Overdue"))


@signed_in
@require_safe
def library(request: HttpRequest, slug: str = "") -> HttpResponse:
    """The list, of one project or of all: by state, severity and words."""
    project = get_project(request, slug) if slug else None
    topics = live_part.of_project(project.pk) if project else live_part.stamped(live.OVERVIEW)
    now = timezone.now()
    everything = postmortems_of(request.user, project, drafts=may(request, WRITE))
    text, severity = request.GET.get("q", "")[:200].strip(), request.GET.get("severity", "")
    if severity in ("1", "2", "3", "4"):
        everything = everything.filter(severity=int(severity))
    show = request.GET.get("show", "all")
    kinds = _kinds(everything, now)
    rows = searched(kinds.get(show, kinds["all"]), text)
    page = Paginator(rows, PAGE).get_page(request.GET.get("page"))
    kept = {name: value for name, value in (("q", text), ("severity", severity)) if value}
    context = {
        "tab": "postmortems", "project": project, "page": page, "show": show, "q": text, "severity": severity,
        "rows": _shown(page.object_list, terms_of(text), now), "live": topics, "here": request.get_full_path(),
        "segments": [
            (label, here.library(slug, show=key, **kept), kinds[key].count(), show == key)
            for key, label in _SHOWS
            if key in kinds and (key in ("all", "published") or may(request, WRITE))
        ],
        "list_url": here.library(slug), "actions_url": here.actions(), "words_url": here.words(),
        "may_write": may(request, WRITE), "may_words": may(request, MANAGE_WORDS),
        "new_url": here.opening(slug) if slug else "", "severities": ["1", "2", "3", "4"],
        "earlier": here.library(slug, show=show, page=str(page.number - 1), **kept) if page.has_previous() else "",
        "later": here.library(slug, show=show, page=str(page.number + 1), **kept) if page.has_next() else "",
    }  # fmt: skip
    part = request.headers.get("HX-Target") == "postmortems"
    template = "incidents/_postmortems.html" if part else "incidents/postmortems.html"
    response = render(request, template, context)
    patch_vary_headers(response, ["HX-Target"])
    return response


def _kinds(rows: QuerySet[PostMortem], now: datetime) -> dict[str, QuerySet[PostMortem]]:
    return {
        "all": rows, "writing": rows.filter(state__in=OPEN), "published": rows.exclude(state__in=OPEN),
        "overdue": overdue_of(rows, now),
    }  # fmt: skip


def _shown(rows: Any, terms: list[str], now: datetime) -> list[dict[str, Any]]:
    """Rows of the list, each with where the words were found."""
    found = []
    for row in rows:
        hit = None
        if terms:
            texts = (section.text for section in row.sections.all())
            hit = next((one for text in texts if (one := excerpt(text, terms)) is not None), None)
        late = row.state in OPEN and row.due_at <= now
        found.append({"row": row, "url": here.document(row.key), "hit": hit, "late": late})
    return found


@signed_in
@require_safe
def actions(request: HttpRequest) -> HttpResponse:
    """Every action item that this person may see: their own, what is late, what is open, what is closed."""
    project = None
    topics = live_part.stamped(live.OVERVIEW)
    rows = ActionItem.objects.filter(
        postmortem__in=postmortems_of(request.user, drafts=may(request, WRITE)).values("pk")
    )
    today = timezone.localdate()
    opened = rows.filter(state=ActionItem.State.OPEN)
    kinds = {
        "mine": opened.filter(owner=request.user.pk), "overdue": opened.filter(due_on__lt=today), "open": opened,
        "closed": rows.exclude(state=ActionItem.State.OPEN),
    }  # fmt: skip
    show = request.GET.get("show", "")
    if show not in kinds:
        show = "mine" if kinds["mine"].exists() else "open"
    chosen = kinds[show].select_related("postmortem__project", "owner")
    order = ("-done_at", "-pk") if show == "closed" else (F("due_on").asc(nulls_last=True), "pk")
    page = Paginator(chosen.order_by(*order), PAGE).get_page(request.GET.get("page"))
    labels = (("mine", "Mine"), ("overdue", "Overdue"), ("open", "Open"), ("closed", "Closed"))
    context = {
        "tab": "postmortems", "project": project, "show": show, "live": topics, "here": request.get_full_path(),
        "segments": [(label, here.actions(show=key), kinds[key].count(), show == key) for key, label in labels],
        "rows": [
            {
                "item": item, "trailer": action_trailer(item), "url": here.document(item.postmortem.key, "s-actions"),
                "late": item.state == "open" and item.due_on is not None and item.due_on < today,
            }
            for item in page
        ],
        "library_url": here.library(),
        "earlier": here.actions(show=show, page=str(page.number - 1)) if page.has_previous() else "",
        "later": here.actions(show=show, page=str(page.number + 1)) if page.has_next() else "",
    }  # fmt: skip
    part = request.headers.get("HX-Target") == "actions"
    template = "incidents/_postmortem_list_actions.html" if part else "incidents/postmortem_list_actions.html"
    response = render(request, template, context)
    patch_vary_headers(response, ["HX-Target"])
    return response


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def opening(request: HttpRequest, slug: str) -> HttpResponse:
    """Open one by hand: of an incident, of a hotfix, or of neither."""
    project = get_project(request, slug, WRITE)
    incident = _incident(project, request.GET.get("incident", ""))
    hotfix = Hotfix.objects.filter(project=project, key__iexact=request.GET.get("hotfix", "")).first()
    standing = PostMortem.objects.filter(incident=incident).first() if incident else None
    standing = standing or (PostMortem.objects.filter(hotfix=hotfix).first() if hotfix else None)
    if standing is not None:
        return HttpResponseRedirect(here.document(standing.key))
    about: Any = incident or hotfix
    initial: dict[str, Any] = {"owner": request.user.pk, "incident": incident, "hotfix": hotfix}
    if about is not None:
        initial |= {"title": about.title, "severity": about.severity}
    form = OpenForm(project, request.POST or None, initial=initial)
    says = ["They open by themselves when a hotfix is live or an incident resolved; this is for everything else."]
    question = Question(
        "Open a post-mortem", "Open it", asking.back_to(request, here.library(slug)), form=form, tab="postmortems",
        says=says, icon="lightbulb",
    )  # fmt: skip

    def do() -> Done:
        data = form.cleaned_data
        title = typed(data["title"], "title", "The title", 200)
        made = postmortem_open(
            project, title, severity=data["severity"], owner=data["owner"], incident=data["incident"],
            hotfix=data["hotfix"], actor=request.user,
        )  # fmt: skip
        announce_soon(project.pk)
        return Done(f"{made.key} is open.", here.document(made.key))

    return asking.answer(request, project, question, do)


def _incident(project: Project, key: str) -> Incident | None:
    number = Incident.number_of(key)
    return None if number is None else Incident.objects.filter(project=project, number=number).first()
