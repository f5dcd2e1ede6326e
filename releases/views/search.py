"""Find a ticket, tag, sha or subject among what this person may see."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe


@require_safe
def search(request: HttpRequest) -> HttpResponse:
    """Results for `q`; an empty form without it."""
    return render(request, "releases/search.html", {"tab": "search", "q": request.GET.get("q", "")[:200].strip()})
