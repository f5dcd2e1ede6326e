"""Projects: list, add, settings, health."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from hotfixdash.accounts.roles import Act
from releases.policies import overview as owed
from releases.projects import selectors
from releases.projects.models import Project

from .access import get_project, may, require


@require_safe
def projects(request: HttpRequest) -> HttpResponse:
    """Every project that this person may see."""
    rows = selectors.project_rows(Project.objects.seen_by(request.user))
    debt = owed.debt([row.pk for row in rows])
    context = {"tab": "projects", "rows": rows, "nav_projects": rows, "nav_owed": debt.act,
               "may_manage": may(request, Act.MANAGE)}  # fmt: skip
    return render(request, "releases/projects.html", context)


@require_safe
def project_add(request: HttpRequest) -> HttpResponse:
    """The form for a new repository; administrators only."""
    require(request, Act.MANAGE)
    return render(request, "releases/project_add.html", {"tab": "projects"})


@require_safe
def project_settings(request: HttpRequest, slug: str) -> HttpResponse:
    """Flow policy, credential, webhook, access."""
    project = get_project(request, slug, Act.EDIT_POLICY)
    return render(request, "releases/project_settings.html", {"tab": "projects", "project": project})


@require_safe
def project_health(request: HttpRequest, slug: str) -> HttpResponse:
    """How the mirror is doing."""
    project = get_project(request, slug)
    return render(request, "releases/project_health.html", {"tab": "projects", "project": project})
