"""Drills: what is due, the drills of a project, one drill, and what is done to them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_http_methods, require_safe

from hotfixdash.accounts.roles import Act
from incidents.drills.models import Drill, DrillPlan
from incidents.drills.scenarios import offers
from incidents.drills.selectors import drills_of, dues
from incidents.drills.services import drill_cancel, drill_end, drill_hint, drill_start, interval_set
from incidents.forms_drills import EndForm, IntervalForm, StartForm
from incidents.tasks import drill_nudge
from releases import live
from releases.projects.models import Project
from releases.views import asking, live_part
from releases.views.access import get_project, may
from releases.views.asking import Done, Question

from . import drill_links as links
from .drill_page import drill_context, drill_row

_SAYS = "A throw-away copy of the repository is made, and your team ships a hotfix on it. Nothing in it is real."
Asked = tuple[Question, Callable[[], Done]]


@require_safe
def drills_all(request: HttpRequest) -> HttpResponse:
    """Every project that this person may see: when it was drilled last, and when the next drill is due."""
    topics = live_part.stamped(live.OVERVIEW)
    rows = dues(list(Project.objects.seen_by(request.user).order_by("name")))
    running = {row.project.pk: links.drill(row.running) for row in rows if row.running}
    rows.sort(
        key=lambda row: (row.running is None, not row.overdue, row.next_at is None, row.next_at or row.project.name)
    )
    context = {
        "tab": "drills", "project": None, "live": topics, "may_start": may(request, Act.RELEASE),
        "rows": [(row, links.drills(row.project.slug), running.get(row.project.pk, "")) for row in rows],
        "overdue": sum(row.overdue for row in rows), "url": links.drills(),
    }  # fmt: skip
    return _shown(request, "drills_all", context)


@require_safe
def drills(request: HttpRequest, slug: str) -> HttpResponse:
    """The drills of one project, newest first; of a drill's copy the drill itself."""
    project = get_project(request, slug)
    if project.is_drill:
        return HttpResponseRedirect(links.drill(get_object_or_404(Drill, copy=project).pk))
    topics = live_part.of_project(project.pk)
    due = dues([project])[0]
    found = drills_of(project)
    context = {
        "tab": "drills", "project": project, "live": topics, "due": due, "url": links.drills(slug),
        "rows": [drill_row(row) for row in found], "offers": offers(project), "start_url": links.start(slug),
        "interval_url": links.interval(slug), "may_start": may(request, Act.RELEASE),
        "running_url": links.drill(due.running) if due.running else "",
    }  # fmt: skip
    return _shown(request, "drills", context)


@require_safe
def drill_of(request: HttpRequest, slug: str) -> HttpResponse:
    """From a copy to its drill: where the banner on its pages leads."""
    project = get_project(request, slug)
    return HttpResponseRedirect(links.drill(get_object_or_404(Drill, copy=project).pk))


@require_safe
def drill(request: HttpRequest, pk: int) -> HttpResponse:
    """One drill: being prepared, running, or its result."""
    row = get_drill(request, pk)
    topics = [live.project_topic(row.project_id)]
    if row.copy_id is not None:
        topics.append(live.project_topic(row.copy_id))
    stamped = live_part.stamped(*topics)
    context = drill_context(request, row) | {"live": stamped, "url": links.drill(row.pk)}
    return _shown(request, "drill", context)


def _shown(request: HttpRequest, name: str, context: dict[str, Any]) -> HttpResponse:
    """The page, or its part when that asks for itself again."""
    part = request.headers.get("HX-Target") == name.replace("_", "-")
    response = render(request, f"incidents/_{name}.html" if part else f"incidents/{name}.html", context)
    patch_vary_headers(response, ["HX-Target"])
    return response


def get_drill(request: HttpRequest, pk: int, act: Act = Act.VIEW) -> Drill:
    """The drill, when this person may see its project and do `act` there. Raises Http404 and more."""
    found = Drill.objects.filter(pk=pk).select_related("project", "copy", "fix", "started_by", "hint_by", "ended_by")
    row = found.first()
    if row is None:
        raise Http404("No such drill.")
    get_project(request, row.project.slug, act)
    return row


@require_http_methods(["GET", "HEAD", "POST"])
def start(request: HttpRequest, slug: str) -> HttpResponse:
    """One short form."""
    project = get_project(request, slug, Act.RELEASE)
    offered = offers(project)
    if not any(offer.offered for offer in offered):
        return asking.not_now(request, project, offered[0].why_not, links.drills(slug), tab="drills")
    form = StartForm(offered, request.POST or None)
    question = Question(
        "Start a drill", "Prepare it", asking.back_to(request, links.drills(slug)), form=form, tab="drills",
        crumbs=[(f"{project.name}, drills", links.drills(slug))],
        says=[_SAYS, *(f"{offer.title}: {offer.says}" for offer in offered if offer.offered)],
        warnings=[f"{offer.title} is not offered here. {offer.why_not}" for offer in offered if not offer.offered],
    )  # fmt: skip

    def do() -> Done:
        made = drill_start(project, form.cleaned_data["scenario"], form.chosen, request.user)
        drill_nudge(made.pk)
        return Done("The copy is being prepared.", links.drill(made.pk))

    return asking.answer(request, project, question, do)


@require_http_methods(["GET", "HEAD", "POST"])
def interval(request: HttpRequest, slug: str) -> HttpResponse:
    """How often this project is drilled."""
    project = get_project(request, slug, Act.EDIT_POLICY)
    standing = DrillPlan.objects.filter(project=project).values_list("every_days", flat=True).first()
    form = IntervalForm(request.POST or None, initial={"every_days": standing})
    question = Question(
        f"How often is {project.name} drilled?", "Save", asking.back_to(request, links.drills(slug)), form=form,
        tab="drills", crumbs=[(f"{project.name}, drills", links.drills(slug))],
    )  # fmt: skip

    def do() -> Done:
        interval_set(project, form.cleaned_data["every_days"], request.user)
        return Done("Saved.", links.drills(slug))

    return asking.answer(request, project, question, do)


@require_http_methods(["GET", "HEAD", "POST"])
def act(request: HttpRequest, pk: int, verb: str) -> HttpResponse:
    """Ask for one of `VERBS`, and on POST do it."""
    needed, prepare = VERBS.get(verb, (Act.VIEW, None))
    if prepare is None:
        raise Http404("There is no such thing to do.")
    row = get_drill(request, pk, needed)
    question, do = prepare(request, row)
    return asking.answer(request, row.project, question, do)


def _question(request: HttpRequest, row: Drill, title: str, verb: str, **more: Any) -> Question:
    back = asking.back_to(request, links.drill(row.pk))
    crumbs = [(f"Drill of {row.project.name}", links.drill(row.pk))]
    return Question(title, verb, back, tab="drills", crumbs=crumbs, **more)


def _hint(request: HttpRequest, row: Drill) -> Asked:
    says = ["You see the original change. That somebody looked is part of the result."]
    question = _question(request, row, "Look at the original change?", "Show it", says=says)

    def do() -> Done:
        drill_hint(row, request.user)
        return Done("The original change stands on the drill's page.", links.drill(row.pk))

    return question, do


def _end(request: HttpRequest, row: Drill) -> Asked:
    form = EndForm(request.POST or None)
    says = ["The result is written down, and a draft post-mortem opened. The copy stays for some days."]
    question = _question(request, row, "End the drill?", "End it", says=says, form=form)

    def do() -> Done:
        drill_end(row, form.cleaned_data["notes"], request.user)
        return Done("The drill is over.", links.drill(row.pk))

    return question, do


def _cancel(request: HttpRequest, row: Drill) -> Asked:
    says = ["No result is kept, and the copy is removed at once, with what was pushed to it."]
    question = _question(request, row, "Call the drill off?", "Call it off", says=says, cautious=True)

    def do() -> Done:
        drill_cancel(row, request.user)
        return Done("The drill is called off.", links.drill(row.pk))

    return question, do


VERBS: dict[str, tuple[Act, Callable[[HttpRequest, Drill], Asked]]] = {
    "hint": (Act.HOTFIX, _hint), "end": (Act.RELEASE, _end), "cancel": (Act.RELEASE, _cancel),
}  # fmt: skip
