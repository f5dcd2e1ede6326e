"""Asking for a fix to be merged back into a target: confirmed first, since it changes the remote."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_http_methods

from hotfixdash.accounts.roles import Act
from releases.evidence.verdicts import Code
from releases.hotfixes.aside import held
from releases.hotfixes.models import Hotfix
from releases.operations.models import Operation
from releases.operations.selectors import operations_active
from releases.policies.models import Fix, Verdict
from releases.policies.names import mergeback_branch
from releases.policies.selectors import git_commands
from releases.projects.models import Project
from releases.tasks import operation_ask

from . import asking, fetching, links, words
from .access import get_project
from .asking import Done, Question
from .offers import ACT, merge_back_why_not
from .settle import Settling, find


def key_of(fix: Fix, branch: str) -> str:
    """The idempotency key of one merge-back."""
    return f"merge-back:{fix.key}:{branch}"


def hotfix_of(fix: Fix) -> Hotfix | None:
    """The ticket that carries this fix, if any."""
    return fix.hotfixes.order_by("pk").first()


def subject_of(fix: Fix, hotfix: Hotfix | None) -> str:
    """What the operation is about, as the ledger names it."""
    return f"hotfix:{hotfix.key}" if hotfix else f"fix:{fix.key}"


def running(project: Project, fix: Fix, branch: str) -> Operation | None:
    """The merge-back of this fix into this branch that waits or runs."""
    key = key_of(fix, branch)
    return next((operation for operation in operations_active(project) if operation.key == key), None)


def params(verdict: Verdict, hotfix: Hotfix | None, *, aside: bool = False) -> dict[str, Any]:
    """What the planner needs to know. Where some commits are there already, only the others are picked."""
    fix, branch = verdict.fix, verdict.target.branch
    every = [str(commit["sha"]) for commit in fix.commits if commit.get("sha")] or [fix.key]
    lacking = [str(entry["sha"]) for entry in verdict.commits if entry.get("sha") and not entry.get("settled")]
    partial = bool(lacking) and len(lacking) < len(every)
    commits = [sha for sha in every if sha in set(lacking)] if partial else every
    ticket = fix.ticket or (hotfix.key if hotfix else "")
    return {
        "fix_key": fix.key,
        "commits": commits,
        "tip": "" if partial else _tip(fix, hotfix, every),
        "target": branch,
        "method": "pick" if partial else "",
        "ticket": ticket,
        "branch": hotfix.branch if hotfix else "",
        "onto_branch": mergeback_branch(ticket, fix.key, branch) if aside else "",
    }


def _tip(fix: Fix, hotfix: Hotfix | None, commits: list[str]) -> str:
    """What a merge merges: the branch as it was finished, else the newest commit of the fix."""
    if hotfix is not None and hotfix.head in commits:
        return hotfix.head
    return "" if fix.kind in (Fix.Kind.DIRECT, Fix.Kind.PICK, Fix.Kind.EVIL) else commits[-1]


def ask_for(project: Project, verdict: Verdict, actor: Any, *, aside: bool = False) -> tuple[Operation, bool]:
    """Put the merge-back into the journal, or join the one that stands."""
    hotfix = hotfix_of(verdict.fix)
    return operation_ask(
        project, Operation.Kind.MERGE_BACK, key_of(verdict.fix, verdict.target.branch),
        subject=subject_of(verdict.fix, hotfix), params=params(verdict, hotfix, aside=aside), actor=actor,
    )  # fmt: skip


@require_http_methods(["GET", "HEAD", "POST"])
def merge_back(request: HttpRequest, slug: str, sha: str, branch: str) -> HttpResponse:
    """Confirm and ask; with `aside` the work goes to a branch beside the target, for somebody to merge there."""
    project = get_project(request, slug, Act.OPERATE)
    asked = find(request, project, sha, branch)
    aside = request.GET.get("aside") == "1"
    evidence = links.evidence(slug, asked.shown.fix.key, branch)
    verdict = asked.verdict
    if not verdict.owed:
        why = f"{branch} has {asked.named}: {verdict.why}" if verdict.settled else verdict.why
        return asking.not_now(request, project, why, asking.back_to(request, evidence))
    standing = running(project, asked.shown.fix, branch)
    waits = held([verdict]).get(verdict.pk)
    if waits is not None and waits.waits and standing is None:
        why = f"{waits.says} Delete that branch to do it another way."
        return asking.not_now(request, project, why, asking.back_to(request, evidence))
    why = "" if standing is not None else merge_back_why_not(verdict, None, waits)
    if why and not aside:
        return asking.not_now(request, project, why, asking.back_to(request, evidence))
    return asking.answer(request, project, _question(asked, aside, standing), lambda: _ask(request, asked, aside))


def _ask(request: HttpRequest, asked: Settling, aside: bool) -> Done:
    operation, made = ask_for(asked.project, asked.verdict, request.user, aside=aside)
    fetching.tell(asked.project)
    if made:
        return Done(f"Merging {asked.named} back into {asked.branch}. The page follows by itself.", level=messages.INFO)
    return Done(f"{operation.actor_name} asked for the same already; it is under way.", level=messages.INFO)


def _question(asked: Settling, aside: bool, standing: Operation | None) -> Question:
    verdict, fix = asked.verdict, asked.shown.fix
    what = fix.shipped_in or asked.named
    wanted = params(verdict, hotfix_of(fix), aside=aside)
    says = [_says(asked, wanted, aside)]
    if standing is not None:
        says.append(f"{standing.actor_name} asked for it already; asking again changes nothing.")
    facts = [(asked.branch, asked.shown.target.tip[:12])] if asked.shown.target.tip else []
    question = asked.question(
        f"Push {what} to a branch for {asked.branch}?" if aside else f"Merge {what} back into {asked.branch}?",
        "Push the branch" if aside else "Merge and push",
        says=says, facts=facts, icon="git-branch" if aside else "git-merge", commands=git_commands(asked.shown),
    )  # fmt: skip
    if verdict.code == Code.PARTIAL:
        question.title = f"Finish the merge-back of {what} into {asked.branch}?"
    return question


def _says(asked: Settling, wanted: dict[str, Any], aside: bool) -> str:
    preview = asked.verdict.preview or {}
    clean = ", no conflicts in the trial" if preview.get("clean") else ""
    commits = words.plural(len(wanted["commits"]), "commit")
    if aside:
        onto = wanted["onto_branch"]
        return f"This puts {commits} on the new branch {onto}, made from {asked.branch}, and pushes only that."
    picks = wanted["method"] == "pick" or asked.shown.policy.merge_back == "pick" or not wanted["tip"]
    if picks:
        return f"This picks {commits} onto {asked.branch}{clean}, and pushes it."
    return (
        f"This makes one merge commit on {asked.branch} ({commits}{clean}), or picks the fix alone where merging would "
        "bring anything else along, and pushes it."
    )


def ready(verdicts: Iterable[Verdict], operations: Mapping[str, Operation]) -> list[Verdict]:
    """The owed ones whose trial is clean and that are not under way."""
    found, verdicts = [], list(verdicts)
    waits = held(verdicts)
    for verdict in verdicts:
        row = operations.get(key_of(verdict.fix, verdict.target.branch))
        active = row if row is not None and row.is_active else None
        clean = bool((verdict.preview or {}).get("clean"))
        why_not = merge_back_why_not(verdict, active, waits.get(verdict.pk))
        if verdict.owed and verdict.code in ACT and clean and not why_not:
            found.append(verdict)
    return found
