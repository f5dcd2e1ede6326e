"""Who reads and who writes post-mortems. They are for colleagues: a public project shows none to visitors.

A draft is for those who may write; viewers read what is published.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase

from hotfixdash.accounts.roles import Act
from incidents.postmortems.models import PostMortem
from incidents.postmortems.writing import OPEN
from releases.views.access import get_project, may

View = Callable[..., HttpResponseBase]
WRITE = Act.HOTFIX
"""Whoever works on hotfixes writes what was learned from them."""


def signed_in(view: View) -> View:
    """As everywhere, but a page that saves by itself is told so in words it can act on: 401, and nothing is swapped."""

    @wraps(view)
    def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.user.is_authenticated:
            return view(request, *args, **kwargs)
        if request.headers.get("HX-Request"):
            return HttpResponse("You are signed out.", status=401, content_type="text/plain; charset=utf-8")
        return redirect_to_login(request.get_full_path())

    return login_not_required(checked)


def get_postmortem(request: HttpRequest, key: str, act: Act = Act.VIEW) -> PostMortem:
    """The post-mortem of this key, when this person may see it and do `act` there. Raises Http404 and more."""
    number = key[3:]
    if not key.startswith("PM-") or not number.isascii() or not number.isdigit() or len(number) > 9:
        raise Http404("No such post-mortem.")
    rows = PostMortem.objects.filter(number=int(number))
    row = rows.select_related("project", "owner", "incident", "hotfix", "published_by").first()
    if row is None:
        raise Http404("No such post-mortem.")
    get_project(request, row.project.slug, act)
    if row.state in OPEN and not may(request, WRITE):
        raise Http404("It is being written. You can read it when it is published.")
    return row
