"""The list of incidents, one incident's page, and declaring one."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils import timezone
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_http_methods, require_safe

from hotfixdash.accounts.roles import Act
from incidents.forms import DeclareForm, ProjectForm
from incidents.response.models import Incident
from incidents.response.selectors import incident_page, incidents_of
from incidents.response.services import incident_declare, topic_of
from incidents.response.states import word_due
from incidents.tasks import announce_soon
from releases import live
from releases.hotfixes.models import Hotfix
from releases.projects.models import Project
from releases.views import asking, live_part
from releases.views import links as places
from releases.views.access import get_project, may, open_to_visitors, require, require_any
from releases.views.asking import Done, Question

from . import links, postmortem_strips

PAGE = 25


@open_to_visitors
@require_safe
def incidents(request: HttpRequest, slug: str) -> HttpResponse:
    """The incidents of one project."""
    project = get_project(request, slug)
    return _list(request, project, live_part.of_project(project.pk))


@open_to_visitors
@require_safe
def incidents_all(request: HttpRequest) -> HttpResponse:
    """The incidents of every project that this person may see."""
    topics = live_part.stamped(live.OVERVIEW)
    require_any(request, list(Project.objects.seen_by(request.user)[:1]))
    return _list(request, None, topics)


def _list(request: HttpRequest, project: Project | None, topics: str) -> HttpResponse:
    show = request.GET.get("show", "open")
    everything = incidents_of(request.user, project)
    current = everything.exclude(state=Incident.State.RESOLVED)
    over = everything.filter(state=Incident.State.RESOLVED)
    counts = {"open": current.count(), "over": over.count()}
    if show == "open" and not counts["open"] and counts["over"] and "show" not in request.GET:
        show = "over"
    rows = over if show == "over" else current
    page = Paginator(rows.order_by("-number"), PAGE).get_page(request.GET.get("page"))
    slug = project.slug if project else ""
    context = {
        "tab": "incidents", "project": project, "page": page, "show": show,
        "rows": [(row, links.incident(row.key), _overdue(row)) for row in page], "live": topics,
        "here": request.get_full_path(),
        "segments": [
            (label, links.incidents(slug, show=key), counts[key], show == key)
            for key, label in (("open", "Open"), ("over", "Over"))
        ],
        "earlier": links.incidents(slug, show=show, page=str(page.number - 1)) if page.has_previous() else "",
        "later": links.incidents(slug, show=show, page=str(page.number + 1)) if page.has_next() else "",
        "declare_url": links.declare(slug), "may_declare": may(request, Act.HOTFIX),
        "may_manage": may(request, Act.MANAGE),
    }  # fmt: skip
    part = request.headers.get("HX-Target") == "incidents"
    response = render(request, "incidents/_incidents.html" if part else "incidents/incidents.html", context)
    patch_vary_headers(response, ["HX-Target"])
    return response


def _overdue(row: Any) -> datetime | None:
    """When a public word was due that was not said."""
    if not row.is_open or not row.public:
        return None
    due = word_due(row.severity, row.spoke_at, row.declared_at)
    return due if due <= timezone.now() else None


def get_incident(request: HttpRequest, key: str, act: Act = Act.VIEW) -> Incident:
    """The incident of this key, when this person may see its project and do `act` there. Raises Http404 and more."""
    number = Incident.number_of(key)
    if number is None:
        raise Http404("No such incident.")
    found = Incident.objects.filter(number=number).select_related(
        "project", "lead", "communications", "scribe", "declared_by", "introduced_by"
    )
    incident = found.first()
    if incident is None:
        raise Http404("No such incident.")
    get_project(request, incident.project.slug, act)
    return incident


@open_to_visitors
@require_safe
def incident(request: HttpRequest, key: str) -> HttpResponse:
    """Everything about one incident; its part asks for itself again when anything changes."""
    row = get_incident(request, key)
    topics = live_part.stamped(topic_of(row), live.project_topic(row.project_id))
    shown = incident_page(row)
    context: dict[str, Any] = {
        "tab": "incidents", "project": row.project, "incident": row, "shown": shown, "live": topics,
        "url": links.incident(row.key), "may_act": may(request, Act.HOTFIX),
        "acts": {verb.replace("-", "_"): links.act(row.key, verb) for verb in _VERBS},
        "hotfixes": [(hotfix, places.hotfix(row.project.slug, hotfix.key)) for hotfix in shown.hotfixes],
        "learned": postmortem_strips.on_incident(request, row),
    }  # fmt: skip
    if shown.suggestion:
        context["suggestion_url"] = links.act(row.key, "say", state=shown.suggestion.state)
    part = request.headers.get("HX-Target") == "incident"
    response = render(request, "incidents/_incident.html" if part else "incidents/incident.html", context)
    patch_vary_headers(response, ["HX-Target"])
    return response


_VERBS = ("say", "edit", "times", "hurts", "link", "fix")


@require_http_methods(["GET", "HEAD", "POST"])
def declare_anywhere(request: HttpRequest) -> HttpResponse:
    """Which project is it about? With one project to choose from nobody is asked."""
    require(request, Act.HOTFIX)
    projects = Project.objects.seen_by(request.user).order_by("name")
    first = list(projects[:2])
    if len(first) == 1:
        return HttpResponseRedirect(links.declare(first[0].slug))
    form = ProjectForm(projects, request.POST or None)
    question = Question("Declare an incident", "Go on", links.incidents(), form=form, tab="incidents", icon="siren")
    if request.method == "POST" and form.is_valid():
        return HttpResponseRedirect(links.declare(form.cleaned_data["project"].slug))
    return asking.show(request, None, question)


@require_http_methods(["GET", "HEAD", "POST"])
def declare(request: HttpRequest, slug: str) -> HttpResponse:
    """One short form; from a hotfix (`?hotfix=`) it is tied to that."""
    project = get_project(request, slug, Act.HOTFIX)
    hotfix = Hotfix.objects.filter(project=project, key__iexact=request.GET.get("hotfix", "")).first()
    initial: dict[str, Any] = {"lead": request.user.pk}
    if hotfix is not None:
        initial |= {"title": hotfix.title, "severity": hotfix.severity, "impact": hotfix.impact}
    form = DeclareForm(project, request.POST or None, initial=initial)
    question = Question(
        "Declare an incident", "Declare", asking.back_to(request, links.incidents(slug)), form=form, tab="incidents",
        icon="siren", says=[f"It ties {hotfix.key} to it."] if hotfix else [],
    )  # fmt: skip

    def do() -> Done:
        data = form.cleaned_data
        made = incident_declare(
            project, data["title"], severity=data["severity"], impact=data["impact"], hurt=form.hurt,
            text=data["text"], public=data["public"], started_at=data["started_at"],
            detected_at=data["detected_at"], lead=data["lead"], hotfix=hotfix, actor=request.user,
        )  # fmt: skip
        announce_soon(project.pk)
        return Done(f"{made.key} is declared.", links.incident(made.key))

    return asking.answer(request, project, question, do)
