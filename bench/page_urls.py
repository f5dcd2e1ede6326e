"""Every address of the dashboard, and `/bench/minimal/`: a page with sign-in and one query of 25 rows."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.template import engines
from django.urls import include, path

from releases.projects.models import Release

ROWS = 25
PAGE = engines["django"].from_string(
    "<!doctype html><html lang=en><title>Releases</title><h1>Hello {{ user.get_username }}</h1><table>"
    "{% for row in rows %}<tr><td>{{ row.tag }}<td>{{ row.commit }}<td>{{ row.tagged_at }}<td>{{ row.subject }}"
    "{% endfor %}</table></html>"
)


def minimal(request: HttpRequest) -> HttpResponse:
    """What any page of a Django site costs that knows who asks and reads one list."""
    return HttpResponse(PAGE.render({"rows": Release.objects.order_by("-tagged_at")[:ROWS]}, request))


urlpatterns = [path("bench/minimal/", minimal), path("", include("hotfixdash.urls"))]
