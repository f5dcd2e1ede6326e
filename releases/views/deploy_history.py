"""What was shipped, filtered by the address, and two of it beside each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from releases.deploys import selectors
from releases.deploys.models import Environment, Run, Step
from releases.projects import history
from releases.projects.models import Project

from . import links, words
from .access import get_project
from .deploy_log import number_of
from .deploy_words import ShownRun, ShownStep

PER_PAGE = 50
COMMITS = 50
STATES: dict[str, tuple[str, tuple[str, ...]]] = {
    "waiting": ("Waiting", ("asked", "queued")),
    "active": ("Under way", ("running", "paused", "lost", "watching")),
    "done": ("Done", ("done",)),
    "failed": ("Failed", ("failed", "aborted", "abandoned")),
    "stopped": ("Not begun", ("rejected", "void", "expired", "cancelled")),
}
"""What the filter offers: words, and the states behind them."""


@dataclass(frozen=True, slots=True)
class Filters:
    """What the address asks for; what it does not know is left out."""

    text: str = ""
    environment: str = ""
    kind: str = ""
    state: str = ""
    lane: str = ""
    by: str = ""

    @classmethod
    def from_params(cls, params: dict[str, str]) -> Filters:
        clean = {name: value[:250].strip() for name, value in params.items()}
        kind, lane, state = clean.get("kind", ""), clean.get("lane", ""), clean.get("state", "")
        return cls(
            clean.get("q", ""), clean.get("environment", ""), kind if kind in Run.Kind.values else "",
            state if state in STATES else "", lane if lane in Run.Lane.values else "", clean.get("by", ""),
        )  # fmt: skip

    @property
    def query(self) -> str:
        pairs = {"q": self.text, "environment": self.environment, "kind": self.kind, "state": self.state,
                 "lane": self.lane, "by": self.by}  # fmt: skip
        return urlencode({name: value for name, value in pairs.items() if value})


@require_safe
def history_all(request: HttpRequest) -> HttpResponse:
    """Of every project that the person may see."""
    return _history(request, None)


@require_safe
def history_of(request: HttpRequest, slug: str) -> HttpResponse:
    """Of one project."""
    return _history(request, get_project(request, slug))


def _history(request: HttpRequest, project: Project | None) -> HttpResponse:
    asked = Filters.from_params(request.GET.dict())
    states = STATES[asked.state][1] if asked.state else ()
    found = selectors.runs_of(
        request.user, project=project, environment=asked.environment, tag=asked.text, kind=asked.kind, states=states,
        lane=asked.lane, asked_by=asked.by,
    )  # fmt: skip
    page = Paginator(found.order_by("-pk"), PER_PAGE).get_page(request.GET.get("page"))
    places = Environment.objects.filter(project__in=[project] if project else Project.objects.seen_by(request.user))
    context = {
        "tab": "deploys", "project": project, "page": page, "asked": asked, "states": STATES.items(),
        "kinds": Run.Kind.choices, "lanes": Run.Lane.choices, "query": f"&{asked.query}" if asked.query else "",
        "places": sorted(set(places.values_list("name", flat=True))),
        "board_url": links.deploys(project.slug if project else ""),
        "runs": [ShownRun(row, row.project.slug, "" if project else row.project.name) for row in page.object_list],
        "compare_url": reverse("releases:deploy-compare", args=[project.slug]) if project else "",
    }  # fmt: skip
    return render(request, "releases/deploy_history.html", context)


@dataclass(slots=True)
class Pair:
    """One fact of both, side by side."""

    name: str
    first: str
    second: str
    mono: bool = False

    @property
    def differs(self) -> bool:
        return self.first != self.second


@require_safe
def compare(request: HttpRequest, slug: str) -> HttpResponse:
    """Two runs of a project beside each other; without two known ones, a choice."""
    project = get_project(request, slug)
    wanted = [number_of(request.GET.get(name, "")) for name in ("a", "b")]
    seen = selectors.runs_of(request.user, project=project)
    rows = {row.pk: row for row in seen.filter(pk__in=wanted)}
    chosen = [rows[pk] for pk in wanted if pk in rows]
    context: dict[str, Any] = {
        "tab": "deploys", "project": project, "offered": [ShownRun(row, slug) for row in seen[:100]],
        "wanted": wanted, "board_url": links.deploys(slug),
    }  # fmt: skip
    if len(chosen) == 2:
        context |= _beside(project, chosen[0], chosen[1])
    elif any(wanted):
        context["unknown"] = True
    return render(request, "releases/deploy_compare.html", context, status=404 if context.get("unknown") else 200)


def _beside(project: Project, first: Run, second: Run) -> dict[str, Any]:
    steps: dict[int, list[Step]] = {first.pk: [], second.pk: []}
    for step in Step.objects.filter(run__in=steps).order_by("index"):
        steps[step.run_id].append(step)
    both = urlencode({"from": first.commit, "to": second.commit})
    with history.reading(project) as repo:
        same = first.commit == second.commit
        changes = None if same else repo.compare(first.commit, second.commit, 0, COMMITS)
        problem = repo.problem
    return {
        "first": ShownRun(first, project.slug), "second": ShownRun(second, project.slug),
        "pairs": _pairs(first, second), "step_pairs": _step_pairs(steps[first.pk], steps[second.pk], project.slug),
        "comparison": changes, "same_commit": same, "git_problem": problem,
        "full_url": f"{reverse('releases:compare', args=[project.slug])}?{both}",
    }  # fmt: skip


def _pairs(first: Run, second: Run) -> list[Pair]:
    def said(run: Run) -> list[tuple[str, str, bool]]:
        shown = ShownRun(run, "")
        return [
            ("Release", run.tag, True), ("Commit", run.commit[:12], True),
            ("Environment", shown.where or "build", False), ("State", shown.state, False),
            ("Asked by", shown.who, False), ("Began", words.clock(run.started_at), False),
            ("Took", shown.took, False), ("Artifact", run.digest[:26], True),
            ("Pipeline", f"version {run.pipeline.version}", False), ("Lane", str(run.get_lane_display()), False),
            ("Verified", words.clock(run.verified_at), False),
        ]  # fmt: skip

    return [
        Pair(name, words.visible(one), words.visible(other), mono)
        for (name, one, mono), (_, other, _mono) in zip(said(first), said(second), strict=True)
    ]


def _step_pairs(
    first: Sequence[Step], second: Sequence[Step], slug: str
) -> list[tuple[str, ShownStep | None, ShownStep | None]]:
    """By name, in the order of the second."""
    old = {step.name: ShownStep(step, slug) for step in first}
    new = {step.name: ShownStep(step, slug) for step in second}
    return [
        (words.visible(name), old.get(name), new.get(name))
        for name in [*new, *(name for name in old if name not in new)]
    ]
