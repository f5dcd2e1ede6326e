"""Releases: the list, one release, and any two points of history beside each other."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from releases.evidence.verdicts import FixReport
from releases.git.page_reads import CommitInfo
from releases.live import OVERVIEW
from releases.policies.flow import FlowPolicy
from releases.policies.models import Fix
from releases.policies.release_fixes import fixes_lacking, fixes_shipped, fixes_shipped_counts, tickets_of
from releases.policies.release_gate import release_gate
from releases.policies.selectors import ticket_link
from releases.policies.tickets import ticket_in
from releases.projects import history
from releases.projects.models import Project, Release
from releases.projects.release_selectors import (
    KINDS,
    Point,
    ReleasePage,
    ReleaseQuery,
    newest_tags,
    point_find,
    release_find,
    release_next,
    releases_page,
)

from . import links, live_part
from .access import get_project, open_to_visitors, require_any
from .release_ships import ships
from .release_story import in_flux, voices
from .snapshots import stem_of

COMMITS = 100
"""Commits of a release or comparison on one page."""


@open_to_visitors
@require_safe
def releases_all(request: HttpRequest) -> HttpResponse:
    """Every release of every project that the person may see, newest first."""
    topics = live_part.stamped(OVERVIEW)
    seen: list[Any] = list(
        Project.objects.seen_by(request.user).order_by("name").values_list("pk", "name", "slug", named=True)
    )
    require_any(request, seen)
    query = ReleaseQuery.from_params(request.GET.dict())
    wanted = [row.pk for row in seen if not query.project or row.slug == query.project]
    everything = bool(getattr(request.user, "is_superuser", False) or getattr(request.user, "all_projects", False))
    page = releases_page(None if everything and not query.project else wanted, query)
    return _list(request, page, {"projects": seen, "nav_projects": seen, "live": topics})


@open_to_visitors
@require_safe
def releases(request: HttpRequest, slug: str) -> HttpResponse:
    """The releases of one project."""
    project = get_project(request, slug)
    topics = live_part.of_project(project.pk)
    query = ReleaseQuery.from_params(request.GET.dict() | {"project": ""})
    page = releases_page([project.pk], query)
    return _list(request, page, {"project": project, "live": topics})


def _list(request: HttpRequest, page: ReleasePage, extra: dict[str, Any]) -> HttpResponse:
    project = extra.get("project")
    owners = {row.pk: row for row in [*extra.get("projects", []), *([project] if project else [])]}
    shipped = fixes_shipped_counts([row["pk"] for row in page.rows])
    page.rows = [row for row in page.rows if row["project_id"] in owners]
    for row in page.rows:
        owner = owners[row["project_id"]]
        row["project_name"], row["url"] = owner.name, links.release(owner.slug, row["tag"])
        row["fixes"] = shipped.get(row["pk"], 0)
        row["kind_label"] = Release.Kind(row["kind"]).label
    query = page.query
    context = {
        "tab": "releases",
        "page": page,
        "query": query,
        "kinds": [(kind, Release.Kind(kind).label) for kind in KINDS],
        "earlier": _with(request, page=query.page - 1) if query.page > 1 else "",
        "later": _with(request, page=query.page + 1) if query.page < page.pages else "",
        "here": request.get_full_path(),
        **extra,
    }
    live = request.headers.get("HX-Target") == "releases"
    return render(request, "releases/_releases.html" if live else "releases/releases.html", context)


def _with(request: HttpRequest, **changes: object) -> str:
    params = request.GET.dict() | {name: str(value) for name, value in changes.items()}
    return f"{request.path}?{urlencode({name: value for name, value in params.items() if value})}"


@open_to_visitors
@require_safe
def release(request: HttpRequest, slug: str, tag: str) -> HttpResponse:
    """One release: what it is, what is in it, who looked at it, which fixes it carried and which it lacks."""
    project = get_project(request, slug)
    found = release_find(project, tag)
    if found is None:
        raise Http404("No such release.")
    commands = snapshot_commands(project, found)
    with history.reading(project) as repo:
        context = {
            "tab": "releases",
            "project": project,
            "release": found,
            "next": release_next(found),
            "previous_url": links.release(slug, found.previous.tag) if found.previous else "",
            "ships": ships(project, found, request.user),
            "commands": commands,
            "commands_text": "\n".join(commands),
            "tags": [tag for tag in newest_tags(project) if tag != found.tag],
            "compare_url": reverse("releases:compare", args=[slug]),
            **_content(request, project, found, repo),
            **_gate(request, project, found),
            "voices": voices(project, found, repo, request.user),
            "flux": in_flux(project, found, repo),
            "git_problem": repo.problem,
        }
    return render(request, "releases/release.html", context)


def _content(request: HttpRequest, project: Project, found: Release, repo: history.History) -> dict[str, Any]:
    """Its commits by ticket, a page at a time, with who wrote them, the files, and the fixes among them."""
    policy, number = FlowPolicy.from_data(project.policy), _page(request)
    before = found.previous.commit if found.previous else ""
    commits = repo.log(before, found.commit, (number - 1) * COMMITS, COMMITS)
    shipped = fixes_shipped(found)
    groups = by_ticket(policy, commits or (), tickets_of(shipped))
    can_download = repo.git_dir is not None and found.deleted_at is None and request.user.is_authenticated
    return {
        "fixes": [(fix, links.fix(project.slug, fix.key)) for fix in shipped],
        "groups": [(ticket, ticket_link(policy, ticket), members) for ticket, members in groups],
        "commits_total": found.commit_total,
        "people": repo.contributors(before, found.commit) if before else None,
        "files": repo.compare(before, found.commit, 0, 1) if before else None,
        "snapshot_url": reverse("releases:snapshot", args=[project.slug, found.tag]) if can_download else "",
        "earlier": f"?page={number - 1}" if number > 1 else "",
        "later": f"?page={number + 1}" if commits and number * COMMITS < found.commit_total else "",
    }


def _gate(request: HttpRequest, project: Project, found: Release) -> dict[str, Any]:
    """What it would take back: as it is known, and, where somebody asks, compared with production now."""
    signed_in = request.user.is_authenticated
    gate = release_gate(project, found) if request.GET.get("gate") and signed_in else None
    return {
        "lacking": [(row, links.fix(project.slug, row.key)) for row in fixes_lacking(found)],
        "gate": gate,
        "gate_fixes": _gate_fixes(project, found, (*gate.returning, *gate.to_check)[:100]) if gate else [],
        "may_ask_gate": signed_in and found.deleted_at is None,
    }


def _gate_fixes(project: Project, release: Release, fixes: Sequence[FixReport]) -> list[tuple[FixReport, str]]:
    """Each with its page. One that no target needs has none: what lies between the release and it is shown instead."""
    known = set(Fix.objects.filter(project=project, key__in=[fix.id for fix in fixes]).values_list("key", flat=True))
    compare = reverse("releases:compare", args=[project.slug])
    return [
        (
            fix,
            links.fix(project.slug, fix.id)
            if fix.id in known
            else f"{compare}?{urlencode({'from': release.tag, 'to': fix.id})}",
        )
        for fix in fixes
    ]


def by_ticket(
    policy: FlowPolicy, commits: Sequence[CommitInfo], known: Mapping[str, str]
) -> list[tuple[str, list[CommitInfo]]]:
    """Commits grouped by ticket, in order of appearance; those without one come last.

    A commit's ticket is what `known` (by object id) or its subject says, else that of the merge that brought it.
    """
    tickets = {commit.sha: known.get(commit.sha) or _ticket(policy, commit.subject) for commit in commits}
    _inherit(tickets, commits)
    groups: dict[str, list[CommitInfo]] = {}
    for commit in commits:
        groups.setdefault(tickets[commit.sha], []).append(commit)
    loose = groups.pop("", [])
    return list(groups.items()) + ([("", loose)] if loose else [])


def _inherit(tickets: dict[str, str], commits: Sequence[CommitInfo]) -> None:
    """Give the commits that a merge brought its ticket, when they name none themselves."""
    by_sha = {commit.sha: commit for commit in commits}
    own_line: set[str] = set()
    at = commits[0].sha if commits else ""
    while at in by_sha:
        own_line.add(at)
        at = next(iter(by_sha[at].parents), "")
    for merge in reversed(commits):
        waiting = list(merge.parents[1:]) if tickets[merge.sha] else []
        while waiting:
            sha = waiting.pop()
            if sha in by_sha and sha not in own_line:
                own_line.add(sha)
                tickets[sha] = tickets[sha] or tickets[merge.sha]
                waiting += by_sha[sha].parents


def _ticket(policy: FlowPolicy, subject: str) -> str:
    try:
        return ticket_in(policy.ticket_pattern, (subject[:500],)) or ""
    except re.error:
        return ""


def snapshot_commands(project: Project, found: Release) -> list[str]:
    """How to get exactly this tree, with every name quoted."""
    tag = shlex.quote(found.tag)
    stem = stem_of(project, found)
    return [
        "git fetch origin --tags",
        f"git archive --format=tar.gz --prefix={stem}/ --output={stem}.tar.gz {shlex.quote('refs/tags/' + found.tag)}",
        f"sha256sum {stem}.tar.gz",
        "# or as a folder beside your clone:",
        f"git worktree add ../{stem} {tag}",
    ]


@open_to_visitors
@require_safe
def compare(request: HttpRequest, slug: str) -> HttpResponse:
    """What one tag, branch or commit has that another lacks."""
    project = get_project(request, slug)
    names = [request.GET.get(side, "").strip()[:300] for side in ("from", "to")]
    points = [point_find(project, name) if name else None for name in names]
    number = _page(request)
    comparison, problem = None, ""
    if points[0] and points[1]:
        with history.reading(project) as repo:
            comparison = repo.compare(points[0].sha, points[1].sha, (number - 1) * COMMITS, COMMITS)
            problem = repo.problem
    commands = _compare_commands(points)
    query = urlencode({"from": names[0], "to": names[1]})
    context = {
        "tab": "releases",
        "project": project,
        "names": names,
        "points": points,
        "unknown": [name for name, point in zip(names, points, strict=True) if name and point is None],
        "comparison": comparison,
        "git_problem": problem,
        "tags": newest_tags(project),
        "swapped": "?" + urlencode({"from": names[1], "to": names[0]}),
        "earlier": f"?{query}&page={number - 1}" if number > 1 else "",
        "later": f"?{query}&page={number + 1}" if comparison and number * COMMITS < comparison.ahead else "",
        "commands": commands,
        "commands_text": "\n".join(commands),
    }
    return render(request, "releases/compare.html", context)


def _compare_commands(points: Sequence[Point | None]) -> list[str]:
    first, second = points
    if first is None or second is None:
        return []
    between = shlex.quote(f"{first.name}..{second.name}")
    return [
        "git fetch origin --tags",
        f"git log --oneline {between}",
        f"git diff --stat {between}",
    ]


def _page(request: HttpRequest) -> int:
    text = request.GET.get("page", "")
    return max(1, int(text)) if text.isascii() and text.isdigit() and len(text) < 6 else 1
