"""Projects: the list, adding one, and how a mirror is doing."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib import messages
from django.core.paginator import Paginator
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.cache import patch_vary_headers
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_safe

from hotfixdash.accounts.roles import Act
from releases import live
from releases.forms import ProjectAddForm
from releases.git.errors import GitError, InvalidValue
from releases.policies import overview as owed
from releases.projects import selectors
from releases.projects.models import FetchRun, Project
from releases.projects.selectors import ProjectRow
from releases.projects.services.projects import ProjectError, credential_set, project_add

from . import fetching, links, live_part
from .access import get_project, may, open_to_visitors, require

PER_PAGE = 50
RUNS_PER_PAGE = 25


@dataclass(slots=True)
class Listed:
    """A project in the list, with what is owed to its main branch."""

    row: ProjectRow
    owed: int
    branch: str
    owed_url: str


@require_safe
def projects(request: HttpRequest) -> HttpResponse:
    """Every project that this person may see."""
    topics = live_part.stamped(live.OVERVIEW)
    rows = selectors.project_rows(Project.objects.seen_by(request.user))
    page = Paginator(rows, PER_PAGE).get_page(request.GET.get("page"))
    debt = owed.debt([row.pk for row in rows])
    running = selectors.active_runs([row.pk for row in page.object_list])
    for row in page.object_list:
        row.run_state, row.run_stage = running.get(row.pk, ("", ""))
    context = {
        "tab": "projects",
        "page": page,
        "listed": [_listed(row, debt) for row in page.object_list],
        "nav_projects": rows,
        "nav_owed": debt.act,
        "may_manage": may(request, Act.MANAGE),
        "topics": topics,
    }
    return _page_or_part(request, "projects", context)


def _listed(row: ProjectRow, debt: owed.Debt) -> Listed:
    main = debt.main.get(row.pk)
    if main is None:
        return Listed(row, 0, "", "")
    return Listed(row, main.act, main.branch, links.matrix(row.slug, show="owed", target=main.branch))


def _page_or_part(request: HttpRequest, name: str, context: dict[str, object], status: int = 200) -> HttpResponse:
    """The whole page, or its live part when it asks for itself again."""
    part = request.headers.get("HX-Request") and not request.headers.get("HX-History-Restore-Request")
    response = render(request, f"releases/{'_' if part else ''}{name}.html", context, status=status)
    patch_vary_headers(response, ["HX-Request"])
    return response


@sensitive_post_parameters("secret")
@require_http_methods(["GET", "HEAD", "POST"])
def project_add_view(request: HttpRequest) -> HttpResponse:
    """The form for a new repository; administrators only."""
    require(request, Act.MANAGE)
    form = ProjectAddForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        project = _add(request, form)
        if project is not None:
            messages.success(request, f"{project.name} is tracked. Its history is being read.")
            return redirect("releases:project-overview", project.slug)
    status = 422 if request.method == "POST" else 200
    return render(request, "releases/project_add.html", {"tab": "projects", "form": form}, status=status)


def _add(request: HttpRequest, form: ProjectAddForm) -> Project | None:
    """The project, or None with the reason in the form."""
    data = form.cleaned_data
    try:
        # In one transaction, so that no worker tries the address before its credential is there.
        with transaction.atomic():
            project, run = project_add(data["name"], data["url"], actor=request.user, visibility=data["visibility"])
            if data["kind"]:
                credential_set(
                    project, data["kind"], data["secret"],
                    username=data["username"], known_hosts=data["known_hosts"], actor=request.user,
                )  # fmt: skip
            fetching.nudge(run)
    except ProjectError as problem:
        field = {"remote_url": "url", "slug": "name"}.get(problem.field, problem.field)
        form.add_error(field if field in form.fields else None, str(problem))
    except (GitError, InvalidValue) as problem:
        form.add_error("url", str(problem))
    else:
        return project
    return None


@open_to_visitors
@require_safe
def project_health(request: HttpRequest, slug: str) -> HttpResponse:
    """How the mirror is doing: the last looks at the remote, errors, sizes, webhooks."""
    project = get_project(request, slug)
    topics = live_part.of_project(project.pk)
    project.refresh_from_db()
    runs = FetchRun.objects.filter(project=project).select_related("asked_by")
    page = Paginator(runs, RUNS_PER_PAGE).get_page(request.GET.get("page"))
    active = list(runs.filter(state__in=selectors.ACTIVE).order_by("state"))
    context = {
        "tab": "projects",
        "project": project,
        "page": page,
        "active": active,
        "counts": selectors.ref_counts(project),
        "may_check": may(request, Act.CHECK),
        "may_edit": may(request, Act.EDIT_POLICY),
        "topics": topics,
    }
    return _page_or_part(request, "project_health", context)
