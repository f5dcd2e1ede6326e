"""Overview of all projects and of one; Check now."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import get_script_prefix, reverse
from django.utils.cache import patch_vary_headers
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST, require_safe

from hotfixdash.accounts.roles import Act
from releases import live
from releases.hotfixes.listing import hotfix_count
from releases.policies import overview as owed
from releases.projects import selectors
from releases.projects.models import Project
from releases.projects.selectors import ProjectRow

from . import fetching, links, live_part, strips
from .access import get_project, may, open_to_visitors, require
from .frame import SWITCHER
from .kept import kept
from .overview_hotfixes import hotfix_news
from .overview_page import Asked, OverviewPage


@require_safe
def overview(request: HttpRequest) -> HttpResponse:
    """Everything that this person may see, answer first."""
    everything = bool(getattr(request.user, "is_superuser", False) or getattr(request.user, "all_projects", False))
    topics = live_part.stamped(live.OVERVIEW)
    projects = Project.objects.seen_by(request.user)
    asked = _asked(request)

    def context() -> dict[str, Any]:
        rows = _rows(projects)
        debt = owed.debt([row.pk for row in rows], everything=everything)
        nav = [{"name": row.name, "slug": row.slug} for row in rows[: SWITCHER + 1]]
        page = OverviewPage(rows, debt, asked, one=False)
        fact = {"nav_owed": debt.act, "nav_projects": nav, "nav_hotfixes": hotfix_count(request.user)}
        pks = [row.pk for row in rows]
        news = hotfix_news(None, request.user, pks)
        return {"page": page, "topics": topics, "news": news, "fact": fact, **_strips(request, pks, None)}

    # Whoever may see everything sees the same; for anybody else the part is their own.
    who = "everything" if everything else request.user.pk
    return _answer(request, projects, (who, asked, topics), context, {})


@open_to_visitors
@require_safe
def project_overview(request: HttpRequest, slug: str) -> HttpResponse:
    """The same for one project."""
    project = get_project(request, slug)
    topics = live_part.of_project(project.pk)
    asked = _asked(request)
    projects = Project.objects.filter(pk=project.pk)

    def context() -> dict[str, Any]:
        rows = _rows(projects)
        debt = owed.debt([project.pk])
        return {
            "page": OverviewPage(rows, debt, asked, one=True),
            "fact": {"nav_owed": debt.act, "nav_hotfixes": hotfix_count(request.user, project)},
            "news": hotfix_news(project, request.user, [project.pk]),
            "project": project,
            "topics": topics,
            "release_url": links.release(slug, rows[0].tag),
            "shipped": _before(project, rows[0].tag),
            **_strips(request, [project.pk], project),
        }

    return _answer(request, projects, (asked, topics), context, {"project": project})


def _strips(request: HttpRequest, pks: list[int], project: Project | None) -> dict[str, SafeString]:
    """What other apps show there."""
    inside = strips.ON_OVERVIEW_INSIDE if may(request, Act.HOTFIX) else []
    return {
        "strips": strips.drawn(strips.ON_OVERVIEW, pks, project),
        "side_strips": strips.drawn([*strips.ON_OVERVIEW_SIDE, *inside], pks, project),
    }


def _rows(projects: QuerySet[Project]) -> list[ProjectRow]:
    rows = selectors.project_rows(projects)
    running = selectors.active_runs([row.pk for row in rows])
    for row in rows:
        row.run_state, row.run_stage = running.get(row.pk, ("", ""))
    return rows


def _asked(request: HttpRequest) -> Asked:
    number = request.GET.get("page", "")
    page = int(number) if number.isascii() and number.isdigit() and len(number) < 7 else 1
    return Asked(request.path, max(1, page), request.GET.get("sort") == "newest")


def _before(project: Project, current: str) -> list[dict[str, Any]]:
    """The releases on production before the one that is live, each with its address."""
    rows = [row for row in selectors.production_releases(project) if row["tag"] != current]
    for row in rows:
        row["url"] = links.release(project.slug, row["tag"])
    return rows[:4]


def _answer(
    request: HttpRequest,
    projects: QuerySet[Project],
    key: tuple[object, ...],
    context: Callable[[], dict[str, Any]],
    extra: dict[str, object],
) -> HttpResponse:
    """The whole page, or its live part when it asks for itself again."""
    # A drill's copy has no settings that anybody could change.
    real = not getattr(extra.get("project"), "is_drill", False)
    acts = {
        "may_check": may(request, Act.CHECK),
        "may_hotfix": may(request, Act.HOTFIX),
        "may_operate": may(request, Act.OPERATE),
        "may_manage": real and may(request, Act.MANAGE),
        "may_settle": may(request, Act.SETTLE),
        "may_edit": real and may(request, Act.EDIT_POLICY),
    }
    # Who may see what, when a project was read and judged last, and what is under way: a change makes another key.
    whole = (*key, acts, selectors.stamp(projects), selectors.active_stamp(projects), get_script_prefix())
    part, known = kept(request, "releases/_overview.html", whole, lambda: context() | acts)
    if request.headers.get("HX-Request") and not request.headers.get("HX-History-Restore-Request"):
        response = HttpResponse(part)
    else:
        response = render(request, "releases/overview.html", {"tab": "overview", "part": part, **known, **extra})
    patch_vary_headers(response, ["HX-Request"])
    return response


@require_POST
def project_check(request: HttpRequest, slug: str) -> HttpResponse:
    """Ask for a look at the remote now."""
    project = get_project(request, slug, Act.CHECK)
    fetching.ask(project, request)
    messages.info(request, f"Checking {project.name} against git. The page follows by itself.")
    return redirect(_back(request, "releases:project-overview", project.slug))


@require_POST
def check_all(request: HttpRequest) -> HttpResponse:
    """Ask for a look at every remote that this person may see."""
    require(request, Act.CHECK)
    projects = list(Project.objects.seen_by(request.user))
    for project in projects:
        fetching.ask(project, request)
    if projects:
        messages.info(request, "Checking every project against git. The page follows by itself.")
    return redirect("releases:overview")


def _back(request: HttpRequest, view: str, *args: str) -> str:
    """Where the button was, when that is a page of ours."""
    wanted = request.POST.get("next", "")
    if url_has_allowed_host_and_scheme(wanted, {request.get_host()}, require_https=request.is_secure()):
        return wanted
    return reverse(view, args=args)
