"""What waits for the person who looks: the page, its count for the bell, and the notice of broken glass."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.core.cache import cache
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_safe

from hotfixdash.accounts.roles import Act
from releases.deploys.inbox import Waiting, glass_open, inbox
from releases.deploys.models import FollowUp, Run
from releases.live import OVERVIEW
from releases.projects.models import Project

from . import links, live_part, words
from .deploy_words import ShownRun, name_of

SECONDS = 5
"""The count is kept so long for pages; parts that open pages ask for are always counted anew."""
SHOWN = 100
_KINDS = {
    "approve": ("circle-check", "Approve a deployment", "Review and decide"),
    "confirm": ("user", "Confirm a step", "See what is asked"),
    "lost": ("wifi-off", "A worker was lost", "Decide how it goes on"),
    "look": ("siren", "Look at broken glass", "Say what you found"),
}


@dataclass(slots=True)
class ShownWaiting:
    """One entry."""

    row: Waiting

    @property
    def icon(self) -> str:
        return _KINDS[self.row.kind][0]

    @property
    def kind(self) -> str:
        return _KINDS[self.row.kind][1]

    @property
    def verb(self) -> str:
        return _KINDS[self.row.kind][2]

    @property
    def shown(self) -> ShownRun:
        return ShownRun(self.row.run, self.row.run.project.slug, self.row.run.project.name)

    @property
    def url(self) -> str:
        slug, pk = self.row.run.project.slug, self.row.run.pk
        if self.row.kind == "approve":
            return links.approval(slug, pk)
        return (
            links.run_act(slug, "reviewed", pk, next=links.waiting())
            if self.row.kind == "look"
            else links.run(slug, pk)
        )

    @property
    def dialog(self) -> bool:
        return self.row.kind == "look"

    @property
    def until(self) -> str:
        return f"ends in {words.duration(words.seconds_until(self.row.until))}" if self.row.until else ""


@require_safe
def waiting(request: HttpRequest) -> HttpResponse:
    """Everything that this person may decide now."""
    topics = live_part.stamped(OVERVIEW)
    rows = [ShownWaiting(row) for row in inbox(request.user)]
    cache.set(_key(request.user), len(rows), SECONDS)
    context = {
        "tab": "waiting", "rows": rows[:SHOWN], "total": len(rows), "live": topics, "here": request.path,
        "nav_waiting": len(rows),
    }  # fmt: skip
    part = request.headers.get("HX-Target") == "waiting"
    response = render(request, "releases/_waiting.html" if part else "releases/waiting.html", context)
    patch_vary_headers(response, ["HX-Target"])
    return response


def stirs(user: Any) -> bool:
    """Whether anything at all waits for people where this person may look; one query."""
    open_ = Q(state__in=(Run.State.ASKED, Run.State.PAUSED, Run.State.LOST)) | Q(
        follow_up__isnull=False, follow_up__closed_at=None
    )
    return Run.objects.filter(open_, project__in=Project.objects.seen_by(user)).exists()


def count(user: Any, *, fresh: bool = False) -> int:
    """How many things wait for the person; `fresh` counts anew."""
    if not any(user.may(act) for act in (Act.APPROVE, Act.SHIP, Act.DEPLOY)):
        return 0
    key = _key(user)
    found = None if fresh else cache.get(key)
    if found is None:
        found = len(inbox(user))
        cache.set(key, found, SECONDS)
    return int(found)


def forget(user: Any) -> None:
    """After the person did something: the next page counts anew."""
    cache.delete(_key(user))


def _key(user: Any) -> str:
    return f"waiting:{user.pk}"


@dataclass(slots=True)
class Broken:
    """Where the glass is broken and nobody has looked yet."""

    first: FollowUp
    others: int

    @property
    def by(self) -> str:
        return name_of(self.first.run.glass_by)

    @property
    def what(self) -> str:
        run = self.first.run
        return f"{run.project.name} {words.visible(run.tag)}"

    @property
    def where(self) -> str:
        return self.first.run.environment.name if self.first.run.environment else ""

    @property
    def why(self) -> str:
        return words.visible(self.first.run.glass_why)

    @property
    def url(self) -> str:
        return links.run(self.first.run.project.slug, self.first.run_id)


def broken(user: Any) -> Broken | None:
    """For the notice on every page; None while there is none to show this person."""
    rows = list(glass_open(user)[:20])
    return Broken(rows[0], len(rows) - 1) if rows else None
