"""Who may see a project, and what they may do there: the one check that every view makes first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase

from hotfixdash.accounts.roles import Act
from releases.projects.models import Project

View = Callable[..., HttpResponseBase]


_NOT_IN_DRILLS = (Act.EDIT_POLICY, Act.MANAGE)
"""What leads out of a sandbox, or pulls it down."""


class SignInNeeded(Exception):
    """A visitor asked for something that only signed-in people may see; `open_to_visitors` sends them to sign in."""


def get_project(request: HttpRequest, slug: str, act: Act = Act.VIEW) -> Project:
    """The project named by `slug`, when this person may see it and their role allows `act` there.

    Raises `Http404` when they may not see it (the same as when it does not exist), `PermissionDenied`
    with a sentence when their role is lacking, and `SignInNeeded` for visitors, who may only see public projects.
    """
    project = Project.objects.open_to(request.user).filter(slug=slug).first()
    if not request.user.is_authenticated:
        if project is None or act is not Act.VIEW:
            raise SignInNeeded
        return project
    if project is None:
        raise Http404("No such project, or you have no access to it.")
    if not request.user.may(act):
        raise PermissionDenied(f"Your role, {request.user.role.label}, does not include this.")
    if project.is_drill and act in _NOT_IN_DRILLS:
        raise PermissionDenied("This is a drill: its copy is set up by itself, and goes away with the drill.")
    return project


def require(request: HttpRequest, act: Act) -> None:
    """For what is not about one project (adding one): `PermissionDenied` when the role does not allow `act`."""
    if not request.user.is_authenticated:
        raise SignInNeeded
    if not request.user.may(act):
        raise PermissionDenied(f"Your role, {request.user.role.label}, does not include this.")


def require_any(request: HttpRequest, seen: Sequence[object]) -> None:
    """For pages over all projects: a visitor to whom no project is open is asked to sign in."""
    if not seen and not request.user.is_authenticated:
        raise SignInNeeded


def may(request: HttpRequest, act: Act) -> bool:
    """Whether to offer the button for `act`; the view behind it checks again."""
    return request.user.is_authenticated and request.user.may(act)


def open_to_visitors(view: View) -> View:
    """For views of pages that a public project shows without sign-in; everything else still asks for it."""

    @wraps(view)
    def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            return view(request, *args, **kwargs)
        except SignInNeeded:
            if request.headers.get("HX-Request"):
                # A fragment cannot be swapped for the sign-in page: the whole page goes there.
                return HttpResponse(status=204, headers={"HX-Refresh": "true"})
            return redirect_to_login(request.get_full_path())

    return login_not_required(checked)
