"""Every address of the dashboard, and the least that a view of Django can be: a template without anything in it.

`/bench/empty/` goes the way of every page. `BARE` is the same without any middleware: what the framework itself costs.
"""

from __future__ import annotations

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.template import engines
from django.urls import include, path

EMPTY = engines["django"].from_string("<!doctype html><html lang=en><title>Empty</title></html>\n")


@login_not_required
def empty(request: HttpRequest) -> HttpResponse:
    return HttpResponse(EMPTY.render({}, request))


urlpatterns = [path("bench/empty/", empty), path("", include("hotfixdash.urls"))]
