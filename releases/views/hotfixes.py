"""The list of hotfixes, of one project and of all; opening one; adopting what has no ticket."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from hotfixdash.accounts.roles import Act
from releases import live
from releases.hotfix_forms import HotfixForm, NewHotfixForm, ReasonForm
from releases.hotfixes import listing
from releases.hotfixes.adopting import hotfix_adopt
from releases.hotfixes.errors import HotfixError
from releases.hotfixes.holding import main_mark_releasable, main_mark_unreleasable
from releases.hotfixes.listing import HotfixQuery, HotfixRow
from releases.hotfixes.models import Hotfix, Untracked
from releases.hotfixes.services import hotfix_open
from releases.hotfixes.stages import StageKey
from releases.policies.flow import FlowPolicy
from releases.projects.models import Project

from . import asking, fetching, links, live_part, steps
from .access import get_project, may, open_to_visitors, require, require_any
from .asking import Done, Question

FIRST_UNTRACKED = 6
"""Untracked branches and tags that show at once; the others unfold."""
_SEGMENTS = (
    ("open", "In progress"), ("owed", "Owed"), ("done", "Done"), ("closed", "Closed"), ("all", "All"),
)  # fmt: skip
_SORTS = (("age", "Newest first"), ("severity", "Most severe first"), ("key", "Ticket"))


@dataclass(slots=True)
class Listed:
    """A hotfix in the list, with its looks."""

    row: HotfixRow

    @property
    def url(self) -> str:
        return links.hotfix(self.row.project_slug, self.row.key)

    @property
    def now(self) -> steps.Step | None:
        stage = self.row.stage_now
        return steps.step(stage, current=True) if stage else None

    @property
    def place(self) -> int:
        return steps.place(self.row.stages, self.row.stage)

    @property
    def waits(self) -> Any:
        return steps.since(self.row.stages, self.row.stage, self.row.created_at)

    @property
    def severity_label(self) -> str:
        return str(Hotfix.Severity(self.row.severity).label)

    @property
    def closed_label(self) -> str:
        return str(Hotfix.Closed(self.row.closed).label)


@dataclass(slots=True)
class Offered:
    """A branch or tag without a ticket, and where to adopt it."""

    row: Untracked
    adopt_url: str

    @property
    def since(self) -> datetime:
        return self.row.since


@open_to_visitors
@require_safe
def hotfixes(request: HttpRequest, slug: str) -> HttpResponse:
    """The hotfixes of one project."""
    project = get_project(request, slug)
    return _list(request, project, live_part.of_project(project.pk))


@open_to_visitors
@require_safe
def hotfixes_all(request: HttpRequest) -> HttpResponse:
    """The hotfixes of every project that this person may see."""
    topics = live_part.stamped(live.OVERVIEW)
    require_any(request, list(Project.objects.seen_by(request.user)[:1]))
    return _list(request, None, topics)


def _list(request: HttpRequest, project: Project | None, topics: str) -> HttpResponse:
    query = HotfixQuery.from_params(request.GET)
    found = listing.hotfix_list(project, request.user, query)
    query = found.query
    untracked = offered(listing.untracked(project, request.user))
    context = {
        "tab": "hotfixes",
        "project": project,
        "found": found,
        "query": query,
        "rows": [Listed(row) for row in found.rows],
        "untracked": untracked[:FIRST_UNTRACKED],
        "untracked_more": untracked[FIRST_UNTRACKED:],
        "untracked_total": len(untracked),
        "segments": [
            (label, _address(query, show=show), found.counts[show], query.show == show) for show, label in _SEGMENTS
        ],
        "sorts": _SORTS,
        "stages": StageKey.choices(),
        "severities": Hotfix.Severity.choices,
        "earlier": _address(query, page=query.page - 1) if query.page > 1 else "",
        "later": _address(query, page=query.page + 1) if query.page < found.pages else "",
        "unfiltered": "?" + urlencode({"show": query.show}),
        "here": request.get_full_path(),
        "live": topics,
        "new_url": links.hotfix_new(project.slug if project else ""),
        "may_hotfix": may(request, Act.HOTFIX),
    }  # fmt: skip
    part = request.headers.get("HX-Target") == "hotfixes"
    response = render(request, "releases/_hotfixes.html" if part else "releases/hotfixes.html", context)
    patch_vary_headers(response, ["HX-Target"])
    return response


def offered(rows: list[Untracked]) -> list[Offered]:
    return [Offered(row, links.hotfix_adopt(row.project.slug)) for row in rows]


def _address(query: HotfixQuery, **changes: Any) -> str:
    """The address of the list with some of the filters changed; what is the default is left out."""
    values: dict[str, Any] = {
        "show": query.show, "stage": query.stage, "owner": query.owner, "severity": query.severity, "q": query.text,
        "project": query.project, "sort": query.sort,
    } | changes  # fmt: skip
    plain = {"show": "open", "sort": "age", "page": 1}
    kept = {name: value for name, value in values.items() if value and value != plain.get(name)}
    return f"?{urlencode(kept)}" if kept else "?"


@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest, slug: str) -> HttpResponse:
    """Open a hotfix in this project."""
    project = get_project(request, slug, Act.HOTFIX)
    initial = {
        "key": request.GET.get("key", "")[:80],
        "title": request.GET.get("title", "")[:200],
        "owner": request.user.pk,
    }
    form = HotfixForm(project, request.POST or None, initial=initial)
    question = _opening(request, form, project)
    return asking.answer(request, project, question, lambda: _opened(request, project, form.cleaned_data))


@require_http_methods(["GET", "HEAD", "POST"])
def new_anywhere(request: HttpRequest) -> HttpResponse:
    """Open a hotfix in one of the projects that this person may see."""
    require(request, Act.HOTFIX)
    projects = Project.objects.seen_by(request.user).order_by("name")
    form = NewHotfixForm(projects, request.POST or None, initial={"owner": request.user.pk})
    question = _opening(request, form, None)
    if request.method != "POST" or not form.is_valid():
        return asking.show(request, None, question)
    data = form.cleaned_data
    project = data.pop("project")
    return asking.answer(request, project, question, lambda: _opened(request, project, data))


def _opening(request: HttpRequest, form: HotfixForm, project: Project | None) -> Question:
    slug = project.slug if project else ""
    back = asking.back_to(request, links.hotfixes(slug))
    pattern = FlowPolicy.from_data(project.policy).ticket_pattern if project else ""
    if pattern:
        form.fields["key"].help_text = "As your tracker names it."
    form.fields["key"].widget.attrs |= {"class": "input mono", "autocomplete": "off", "placeholder": "TICKET-1234"}
    crumb = f"{project.name}, hotfixes" if project else "Hotfixes"
    return Question(
        "Open a hotfix", "Open it", back, form=form, crumbs=[(crumb, links.hotfixes(slug))],
        says=["A ticket and a title are enough. Everything that git shows is filled in by itself."],
    )  # fmt: skip


def _opened(request: HttpRequest, project: Project, data: dict[str, Any]) -> Done:
    hotfix = hotfix_open(
        project, data["key"], data["title"], impact=data["impact"], severity=data["severity"],
        owner=data["owner"], actor=request.user,
    )  # fmt: skip
    fetching.tell(project)
    return Done(f"{hotfix.key} is open. Triage comes first.", links.hotfix(project.slug, hotfix.key))


@require_POST
def adopt(request: HttpRequest, slug: str) -> HttpResponse:
    """Make a ticket for a branch or tag that has none."""
    project = get_project(request, slug, Act.HOTFIX)
    name = request.POST.get("name", "")[:250]
    back = asking.back_to(request, links.hotfixes(slug))
    try:
        hotfix = hotfix_adopt(project, name, request.user, key=request.POST.get("key", "")[:80])
    except HotfixError as refused:
        return asking.not_now(request, project, refused.sentence, back)
    fetching.tell(project)
    messages.success(request, f"{hotfix.key} is tracked now. What git shows of it is filled in.")
    return HttpResponseRedirect(links.hotfix(project.slug, hotfix.key))


@require_http_methods(["GET", "HEAD", "POST"])
def releasable(request: HttpRequest, slug: str) -> HttpResponse:
    """Say that what is on the integration branch must not ship now, or take that back."""
    project = get_project(request, slug, Act.RELEASE)
    form = ReasonForm(request.POST or None)
    back = asking.back_to(request, links.hotfixes(slug))
    crumbs = [(f"{project.name}, hotfixes", links.hotfixes(slug))]
    if project.unreleasable_why:
        said = f"{project.unreleasable_by} said that it must not ship: “{project.unreleasable_why}”"
        question = Question("May the next release ship again?", "It may ship again", back, [said], form, crumbs=crumbs)
    else:
        says = ["The next release is then not offered as a way out, and the reason is shown instead."]
        question = Question("Must the next release not ship now?", "It must not ship", back, says, form, crumbs=crumbs)

    def do() -> Done:
        why = form.cleaned_data["why"]
        if project.unreleasable_why:
            main_mark_releasable(project, why, request.user)
            return Done("The next release may ship again, as far as people say.")
        main_mark_unreleasable(project, why, request.user)
        return Done("Noted: the next release must not ship now.")

    return asking.answer(request, project, question, do)
