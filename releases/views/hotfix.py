"""The page of one hotfix, and its whole timeline."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_safe

from hotfixdash.accounts.roles import Act
from releases.hotfixes.change import convention
from releases.hotfixes.models import Hotfix
from releases.hotfixes.services import subject_of
from releases.hotfixes.stages import StageKey
from releases.hotfixes.steps import next_step
from releases.hotfixes.ways import advise
from releases.ledger.models import Event
from releases.operations.selectors import operations_latest
from releases.policies.flow import FlowPolicy
from releases.policies.models import Target, Verdict
from releases.projects import history
from releases.projects.models import Project, Release
from releases.projects.signatures import signing_key, tag_seal

from . import links, live_part, strips
from .access import get_project, may, open_to_visitors
from .hotfix_acts import get_hotfix
from .hotfix_next import shown_next, shown_ways
from .hotfix_page import EVENTS, Facts, HotfixPage
from .hotfix_pipe import pipe_of
from .hotfix_side import checks, people, review_standing, review_why_not, review_words, reviews_shown
from .timeline import ShownEvent

PER_PAGE = 50
PATCHES = 8
"""Commits of a fix whose patches the page shows."""
LINES = 300
"""Lines of each patch."""
_ACTS = (Act.HOTFIX, Act.OPERATE, Act.RELEASE, Act.SETTLE)


@open_to_visitors
@require_safe
def hotfix(request: HttpRequest, slug: str, key: str) -> HttpResponse:
    """Everything about one hotfix; asked by itself, only the part that changes."""
    project = get_project(request, slug)
    topics = live_part.of_project(project.pk)
    found = get_hotfix(project, key)
    acts = {act for act in _ACTS if may(request, act)}
    facts = read(project, found)
    part = request.headers.get("HX-Target") == "hotfix"
    with history.reading(project) as repo:
        page = HotfixPage(facts, repo, acts, request.user)
        context = {
            "tab": "hotfixes", "project": project, "hotfix": found, "page": page, "live": topics,
            "here": f"{page.url}?ways=1" if request.GET.get("ways") == "1" else page.url,
            "checked_at": project.judged_at,
            "check_url": reverse("releases:project-check", args=[slug]) if may(request, Act.CHECK) else "",
            "graph_wide": page.graph_wide, "graph_tall": page.graph_tall, "git_problem": repo.problem,
            "changes": changes(found, repo), "pipe": pipe_of(request, project, found, part=part),
            "strips": strips.drawn(strips.ON_HOTFIX, request, found),
            **_side(page, request, acts), **_next(page, request, acts),
        }  # fmt: skip
    response = render(request, "releases/_hotfix.html" if part else "releases/hotfix.html", context)
    patch_vary_headers(response, ["HX-Target"])
    return response


def changes(found: Hotfix, repo: history.History) -> list[dict[str, Any]]:
    """The commits of the fix with their patches, as many as somebody reviews on a page."""
    return [
        {"sha": str(commit["sha"]), "subject": str(commit.get("subject", "")), "author": commit.get("author_name", ""),
         "patch": repo.patch(str(commit["sha"]), max_lines=LINES)}
        for commit in found.commits[:PATCHES]
    ]  # fmt: skip


def read(project: Project, found: Hotfix) -> Facts:
    """The rows of the page: a constant number of queries."""
    verdicts = list(
        Verdict.objects.filter(fix__hotfixes=found, target__closed_at=None)
        .select_related("fix", "target", "settlement")
        .order_by("target__position", "target__branch")
    )
    subjects = subjects_of(found, verdicts)
    told = Event.objects.filter(project=project, subject__in=subjects)
    events = list(told.order_by("-at", "-pk")[:EVENTS])
    releases = {
        row.tag: row for row in Release.objects.filter(project=project, tag__in=[found.tag or "", found.base_tag or ""])
    }
    return Facts(
        hotfix=found,
        policy=FlowPolicy.from_data(project.policy),
        release=releases.get(found.tag),
        base=releases.get(found.base_tag),
        targets=list(Target.objects.filter(project=project, closed_at=None).order_by("position", "branch")),
        verdicts=verdicts,
        reviews=list(found.reviews.select_related("reviewer")),
        debts=list(found.debts.all()),
        operations=list(operations_latest(project, *subjects).values()),
        events=events,
        events_total=told.count() if len(events) == EVENTS else len(events),
    )


def subjects_of(found: Hotfix, verdicts: Iterable[Verdict] = ()) -> list[str]:
    """What the ledger calls the hotfix and its fixes; its timeline is all of these."""
    keys = {verdict.fix.key for verdict in verdicts} or set(found.fixes.values_list("key", flat=True))
    return [subject_of(found), *(f"fix:{key}" for key in sorted(keys))]


def _side(page: HotfixPage, request: HttpRequest, acts: set[Act]) -> dict[str, Any]:
    facts = page.facts
    found, policy = facts.hotfix, facts.policy
    standing = review_standing(found, facts.reviews, policy)
    seal = tag_seal(found.project, facts.release) if facts.release else None
    rows = checks(
        found, page.size, standing, convention(policy, found.key) if policy.commit_pattern else "", seal,
        signs=signing_key(found.project) is not None,
    )  # fmt: skip
    may_review = Act.HOTFIX in acts and found.head and found.commits and not found.is_closed and not found.tag
    return {
        "reviews": reviews_shown(found, facts.reviews, standing),
        "review_words": review_words(standing) if found.commits else "",
        "review_url": page.act_url("review") if may_review else "",
        "review_why": review_why_not(found, request.user, acts),
        "checks": rows,
        "checks_passed": sum(row[0] == "ok" for row in rows),
        "people": people(found, facts.reviews, list(found.people.all())),
    }


def _next(page: HotfixPage, request: HttpRequest, acts: set[Act]) -> dict[str, Any]:
    """What is due now, and the ways out while they matter or are asked for."""
    found = page.hotfix
    step = next_step(found, request.user)
    undecided = found.stage == StageKey.BRANCH and not found.is_closed and bool(found.triage)
    shown = undecided or (request.GET.get("ways") == "1" and not found.is_closed)
    return {
        "next": shown_next(found, step, page.facts.verdicts, inline=page.triage_form is not None),
        "merge_all": None if any(a.kind == "merge-back-all" for a in step.others) else page.merge_all,
        "may_release": Act.RELEASE in acts,
        "ways": shown_ways(found, advise(found), acts) if shown else [],
    }


@open_to_visitors
@require_safe
def timeline(request: HttpRequest, slug: str, key: str) -> HttpResponse:
    """Every ledger row about one hotfix, a page at a time."""
    project = get_project(request, slug)
    found = get_hotfix(project, key)
    told = Event.objects.filter(project=project, subject__in=subjects_of(found)).order_by("-at", "-pk")
    page = Paginator(told, PER_PAGE).get_page(request.GET.get("page"))
    context = {
        "tab": "hotfixes", "project": project, "hotfix": found, "page": page, "url": links.hotfix(slug, found.key),
        "events": [ShownEvent(row) for row in page.object_list],
    }  # fmt: skip
    return render(request, "releases/hotfix_timeline.html", context)
