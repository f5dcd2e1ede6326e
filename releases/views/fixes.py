"""One fix: its evidence in one branch, and its whole story."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_safe

from releases.git.page_reads import CommitInfo
from releases.hotfixes.aside import held
from releases.policies.models import Verdict
from releases.policies.selectors import CommitRow, FixStory, fix_in_target, fix_story, ticket_link
from releases.projects import history
from releases.projects.patches import Patch

from . import links, live_part
from .access import get_project, open_to_visitors
from .evidence_acts import evidence_acts, fix_acts, hotfix_link
from .evidence_context import evidence_context
from .merge_back import hotfix_of

DIFFS = 12
"""Commits of one fix whose patch the page shows."""
LINES = 400
"""Lines per commit that the page shows."""
_EVENT_ICONS = {
    "owed": "circle-dashed", "settled": "git-merge", "seen": "eye", "found": "eye", "shipped": "tag", "live": "rocket",
    "gone": "circle-x", "changed": "pencil",
}  # fmt: skip


@open_to_visitors
@require_safe
def evidence(request: HttpRequest, slug: str, sha: str, branch: str) -> HttpResponse:
    """The verdict on one fix in one branch with what it rests on; asked by the matrix, only the drawer."""
    project = get_project(request, slug)
    topics = live_part.of_project(project.pk)
    shown = fix_in_target(project, sha, branch)
    if shown is None:
        raise Http404("No such fix, or this branch never had to receive it.")
    context = evidence_context(shown) | {"tab": "matrix", "project": project, "live": topics}
    context |= evidence_acts(request, shown)
    asked = request.headers.get("HX-Target", "")
    template = {"drawer": "releases/_drawer.html", "evidence": "releases/_evidence_page.html"}.get(asked)
    if template is None:
        others = Verdict.objects.filter(fix=shown.fix, target__closed_at=None).exclude(target=shown.target)
        context["others"] = [
            {"url": links.evidence(slug, shown.fix.key, name), "branch": name, "code": code, "detail": detail}
            for name, code, detail in others.order_by("target__position").values_list(
                "target__branch", "code", "detail"
            )
        ]
        context["cell_url"] = links.matrix(slug, cell=context["cell"])
    response = render(request, template or "releases/evidence.html", context)
    patch_vary_headers(response, ["HX-Target"])
    return response


@open_to_visitors
@require_safe
def fix(request: HttpRequest, slug: str, sha: str) -> HttpResponse:
    """Everything known of one fix; with `?format=json` its verdicts as data."""
    project = get_project(request, slug)
    topics = live_part.of_project(project.pk)
    story = fix_story(project, sha)
    if story is None:
        raise Http404("No such fix.")
    if request.GET.get("format") == "json":
        return JsonResponse(fix_data(story), json_dumps_params={"indent": 2, "ensure_ascii": False})
    context = _story_context(story) | {"tab": "matrix", "project": project, "live": topics}
    context |= hotfix_link(project, hotfix_of(story.fix))
    waits = held(story.open_verdicts)
    offers = fix_acts(request, story.fix, story.open_verdicts, waits)
    for cell in context["cells"]:
        cell["offers"] = offers.get(cell["verdict"].pk, [])
        cell["held"] = waits.get(cell["verdict"].pk)
    live = request.headers.get("HX-Target") == "fix"
    response = render(request, "releases/_fix.html" if live else "releases/fix.html", context)
    patch_vary_headers(response, ["HX-Target"])
    return response


def _story_context(story: FixStory) -> dict[str, Any]:
    project, found = story.project, story.fix
    with history.reading(project) as repo:
        known = repo.commits([commit.sha for commit in story.commits])
        evil = found.kind == found.Kind.EVIL
        commits = [
            _commit(commit, known.get(commit.sha), repo.patch(commit.sha, evil, LINES) if index < DIFFS else None)
            for index, commit in enumerate(story.commits)
        ]
        problem = repo.problem
    owed = [verdict for verdict in story.open_verdicts if verdict.owed]
    return {
        "story": story,
        "fix": found,
        "commits": commits,
        "git_problem": problem,
        "owed": owed,
        "oldest_owed": min((verdict.owed_since for verdict in owed if verdict.owed_since), default=None),
        "sla": story.policy.sla_hours,
        "scale": story.policy.sla_hours * 5.0,
        "cells": [_verdict_row(project.slug, found.key, verdict) for verdict in story.verdicts],
        "events": [
            {"row": event, "icon": _EVENT_ICONS.get(event.kind.rpartition(".")[2], "circle-dot")}
            for event in story.events
        ],
        "ticket_url": ticket_link(story.policy, found.ticket),
        "matrix_url": links.matrix(project.slug),
        "release_url": links.release(project.slug, found.shipped_in) if found.release_id else "",
        "fix_url": links.fix(project.slug, found.key),
        "sources": {"tag": "by its tag", "seen": "when it was first seen there", "deployment": "by its deployment"},
    }


def _commit(row: CommitRow, info: CommitInfo | None, patch: Patch | None) -> dict[str, Any]:
    """One commit of the fix: what was stored of it, filled up with what git says."""
    return {
        "sha": row.sha,
        "subject": row.subject or (info.subject if info else ""),
        "author": row.author or (info.author if info else ""),
        "at": info.authored_at if info else row.authored_at,
        "patch": patch,
    }


def _verdict_row(slug: str, key: str, verdict: Verdict) -> dict[str, Any]:
    return {
        "verdict": verdict,
        "branch": verdict.target.branch,
        "closed": verdict.target.closed_at,
        "url": links.evidence(slug, key, verdict.target.branch),
    }


def fix_data(story: FixStory) -> dict[str, Any]:
    """The fix as the command line prints it, with every verdict that is stored."""
    found = story.fix
    return {
        "id": found.key,
        "kind": found.kind,
        "subject": found.subject,
        "ticket": found.ticket or None,
        "shipped_in": found.shipped_in or None,
        "live_since": found.live_since.isoformat() if found.live_since else None,
        "live_since_source": found.live_since_source or None,
        "chore": found.chore,
        "security": found.security,
        "commits": [commit.sha for commit in story.commits],
        "verdicts": {verdict.target.branch: _verdict_data(verdict) for verdict in story.verdicts},
    }


def _verdict_data(verdict: Verdict) -> dict[str, Any]:
    return {
        "verdict": verdict.code,
        "settled": verdict.settled,
        "why": verdict.why,
        "detail": verdict.detail,
        "commits": verdict.commits,
        "preview": verdict.preview,
        "owed_since": verdict.owed_since.isoformat() if verdict.owed_since else None,
        "settled_at": verdict.settled_at.isoformat() if verdict.settled_at else None,
        "lag_seconds": verdict.lag_seconds,
        "judged_at": verdict.judged_at.isoformat(),
        "target_closed_at": verdict.target.closed_at.isoformat() if verdict.target.closed_at else None,
    }
