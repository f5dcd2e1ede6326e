"""Find a ticket, tag, sha or subject among what this person may see."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from releases.policies.search import SHORTEST, find
from releases.projects.models import Project

from . import links

LONGEST = 200


@require_safe
def search(request: HttpRequest) -> HttpResponse:
    """Results for `q`; an empty form without it."""
    text = request.GET.get("q", "")[:LONGEST].strip()
    found = find(text, Project.objects.seen_by(request.user))
    for row in found.fixes:
        row["url"] = links.fix(row["project__slug"], row["key"])
    for row in found.releases:
        row["url"] = links.release(row["project__slug"], row["tag"])
    context = {"tab": "search", "q": text, "found": found, "too_short": 0 < len(text) < SHORTEST}
    return render(request, "releases/search.html", context)
