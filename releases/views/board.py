"""The board: which release runs in which environment of which project, and what is on its way there."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_safe

from hotfixdash.accounts.roles import Act
from releases.deploys import selectors
from releases.deploys.freezing import Window, moment_says, windows
from releases.deploys.gates import locked
from releases.deploys.models import Run
from releases.deploys.selectors import Place
from releases.live import OVERVIEW
from releases.projects.models import Project

from . import links, live_part, words
from .access import get_project, may
from .deploy_offers import MANAGER
from .deploy_words import ShownRun, name_of
from .offers import Offer

RECENT = 12
"""Runs listed below the board of one project."""
COLUMNS = 5
"""More environments than this stand below each other."""
AHEAD = timedelta(days=7)
"""Freezes that begin within this time are told."""
Line = tuple[str, str, str]
"""Tone, icon and words."""


@dataclass(slots=True)
class Queued:
    """A run that waits for its environment, with a way to move it."""

    shown: ShownRun
    move_url: str = ""


class ShownPlace:
    """One environment, as a cell of the board."""

    def __init__(self, place: Place, slug: str, acts: Collection[Act], now: datetime) -> None:
        self.place, self.slug, self.acts, self.now = place, slug, acts, now
        self.environment = place.environment
        self.live = ShownRun(place.live, slug) if place.live is not None else None
        self.active = (
            ShownRun(place.active, slug) if place.active is not None and place.active.state != "done" else None
        )

    @property
    def url(self) -> str:
        """Where people open it, when that is an address a browser should follow."""
        url = self.environment.url
        return url if url.startswith(("https://", "http://")) else ""

    @cached_property
    def lines(self) -> list[Line]:
        """What there is to know, the pressing first."""
        return [line for line in (self._lock(), self._freeze(), self._drift(), self._health()) if line is not None]

    def _lock(self) -> Line | None:
        row = self.environment
        if not locked(row, self.now):
            return None
        until = f" until {moment_says(row.locked_until, row)}" if row.locked_until else " until somebody unlocks it"
        by = f" by {name_of(row.locked_by)}" if row.locked_by else ""
        return "warn", "lock", f"Locked{by}{until}: {words.visible(row.lock_why)[:160]}"

    def _freeze(self) -> Line | None:
        row = self.environment
        found: list[Window] = windows(row, self.now, self.now + AHEAD, row.freezes.all())
        if not found:
            return None
        window = found[0]
        if window.starts <= self.now:
            until = moment_says(window.ends, row)
            return "warn", "snowflake", f"Frozen until {until}: {words.visible(window.why)[:120]}"
        return "idle", "snowflake", f"Freeze from {moment_says(window.starts, row)}"

    def _drift(self) -> Line | None:
        row = self.environment
        if row.drift_since is None:
            return None
        seen = words.visible(row.seen)
        named = seen[:12] if len(seen) >= 40 else seen[:40]
        return "bad", "triangle-alert", f"Drift: {named or 'something else'} runs, since {words.clock(row.drift_since)}"

    def _health(self) -> Line | None:
        row = self.environment
        if not row.probe:
            return None
        if row.probe_error:
            return "warn", "wifi-off", f"Not known: {words.visible(row.probe_error)[:140]}"
        if row.healthy is False:
            since = f" since {words.clock(row.unwell_since)}" if row.unwell_since else ""
            return "bad", "circle-x", f"Not healthy{since}"
        if row.healthy is None:
            return "idle", "circle", "Not asked yet"
        return "ok", "circle-check", "Healthy"

    @property
    def queue(self) -> list[Queued]:
        """What waits, in order."""
        found = []
        for row in self.place.queue:
            shown = ShownRun(row, self.slug)
            movable = len(self.place.queue) > 1 and Act.DEPLOY in self.acts
            found.append(Queued(shown, links.run_act(self.slug, "move", row.pk) if movable else ""))
        return found

    @property
    def asked(self) -> list[ShownRun]:
        return [ShownRun(row, self.slug) for row in self.place.asked]

    @cached_property
    def offers(self) -> list[Offer]:
        """Behind the menu of the cell."""
        if not {Act.SHIP, Act.DEPLOY} & set(self.acts):
            return []
        name, manager = self.environment.name, Act.DEPLOY in self.acts

        def act(kind: str, label: str, why: str = "") -> Offer:
            return Offer(kind, label, links.environment_act(self.slug, kind, name), not why, why)

        role = "" if manager else MANAGER
        found = [
            act("deploy", "Deploy a release…"),
            act("rollback", "Roll back…", role or ("" if self.live else "Nothing was deployed here yet.")),
        ]
        if locked(self.environment, self.now):
            return [*found, act("unlock", "Unlock", role)]
        return [*found, act("lock", "Lock…", role)]


@dataclass(slots=True)
class BoardRow:
    """One project with its environments, in order."""

    project: Project
    places: list[ShownPlace]

    @property
    def url(self) -> str:
        return links.deploys(self.project.slug)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(place.environment.name for place in self.places)


@dataclass(slots=True)
class Sheet:
    """Projects with the same environments, under one head."""

    names: tuple[str, ...]
    rows: list[BoardRow]

    @property
    def wide(self) -> bool:
        """Its columns fit beside each other."""
        return len(self.names) <= COLUMNS


def sheets_of(rows: Iterable[BoardRow]) -> list[Sheet]:
    """Those with the most projects first."""
    found: dict[tuple[str, ...], list[BoardRow]] = {}
    for row in rows:
        found.setdefault(row.names, []).append(row)
    return [Sheet(names, rows) for names, rows in sorted(found.items(), key=lambda pair: -len(pair[1]))]


def summary(rows: Iterable[BoardRow]) -> list[Line]:
    """What is going on over all of it, in a few words each."""
    places = [place for row in rows for place in row.places]
    counts = [
        (sum(place.active is not None for place in places), "run", "loader", "under way"),
        (sum(len(place.place.asked) for place in places), "you", "user", "for approval"),
        (sum(len(place.place.queue) for place in places), "idle", "clock", "queued"),
        (sum(place.environment.drift_since is not None for place in places), "bad", "triangle-alert", "drifted"),
    ]
    return [(tone, icon, f"{number} {said}") for number, tone, icon, said in counts if number]


@require_safe
def board_all(request: HttpRequest) -> HttpResponse:
    """Every project that the person may see."""
    topics = live_part.stamped(OVERVIEW)
    return _board(request, None, {"live": topics})


@require_safe
def board(request: HttpRequest, slug: str) -> HttpResponse:
    """The environments of one project, and its last runs."""
    project = get_project(request, slug)
    topics = live_part.of_project(project.pk)
    seen = selectors.runs_of(request.user, project=project)
    recent = [ShownRun(row, slug) for row in seen[:RECENT]]
    builds = seen.filter(kind=Run.Kind.BUILD, environment=None).exclude(state__in=("done", "failed"))
    setup = reverse("releases:shipping-settings", args=[slug]) if may(request, Act.MANAGE) else ""
    context = {
        "project": project, "live": topics, "recent": recent, "builds": _builds(builds[:RECENT], slug),
        "setup_url": setup,
    }  # fmt: skip
    return _board(request, project, context)


def _builds(rows: Iterable[Run], slug: str) -> list[ShownRun]:
    """Builds that are not over."""
    return [ShownRun(row, slug) for row in rows if not row.is_over]


def _board(request: HttpRequest, project: Project | None, extra: dict[str, Any]) -> HttpResponse:
    now = timezone.now()
    acts = {act for act in (Act.SHIP, Act.DEPLOY, Act.MANAGE) if may(request, act)}
    rows = [
        BoardRow(owner, [ShownPlace(place, owner.slug, acts, now) for place in places])
        for owner, places in selectors.board(request.user, project).items()
    ]
    context = {
        "tab": "deploys", "sheets": sheets_of(rows), "summary": summary(rows), "here": request.path,
        "may_manage": Act.MANAGE in acts, "history_url": links.deploy_history(project.slug if project else ""), **extra,
    }  # fmt: skip
    part = request.headers.get("HX-Target") == "board"
    response = render(request, "releases/_board.html" if part else "releases/board.html", context)
    patch_vary_headers(response, ["HX-Target"])
    return response
