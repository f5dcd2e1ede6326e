"""What the evidence drawer and the evidence page show about one fix in one branch."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from releases.evidence.verdicts import Code
from releases.policies import trials
from releases.policies.selectors import CommitRow, FixInTarget, git_commands, ticket_link
from releases.projects import history
from releases.projects.patches import Difference, Hunk

from . import links, words

COMPARED = 4
"""Commits of one fix whose patch is compared with its counterpart's on the page."""
_SAME = {"ancestor", "patch-id", "empty"}


@dataclass(slots=True)
class Compared:
    """One commit beside its counterpart: how their patches differ, or why that is not known."""

    commit: CommitRow
    difference: Difference | None
    problem: str = ""


@dataclass(slots=True)
class ConflictFile:
    path: str
    hunks: list[Hunk] = field(default_factory=list)


def evidence_context(shown: FixInTarget) -> dict[str, Any]:
    """Everything for `_evidence.html`. Git is asked for details only; without it the verdict still stands."""
    verdict = shown.verdict
    project, fix, target = shown.project, shown.fix, shown.target
    with history.reading(project) as repo:
        compared = _compared(repo, shown)
        conflicts = _conflicts(repo, shown)
        problem = repo.problem
    commands = git_commands(shown)
    return {
        "shown": shown,
        "fix": fix,
        "target": target,
        "verdict": verdict,
        "lead": _lead(verdict.why if verdict else ""),
        "sla": shown.policy.sla_hours,
        "scale": _scale(shown),
        "lag": _lag(shown),
        "compared": compared,
        "conflicts": conflicts,
        "preview": verdict.preview if verdict else None,
        "commands": commands,
        "commands_title": _commands_title(shown),
        "commands_text": "\n".join(commands),
        "git_problem": problem,
        "ticket_url": ticket_link(shown.policy, fix.ticket),
        "fix_url": links.fix(project.slug, fix.key),
        "evidence_url": links.evidence(project.slug, fix.key, target.branch),
        "matrix_url": links.matrix(project.slug),
        "cell": f"{fix.key}:{target.branch}",
        "closed": target.closed_at,
    }


def _lead(why: str) -> tuple[str, str]:
    """The first sentence, which is set in bold, and the rest."""
    text = words.visible(why)
    match = re.match(r"(.{12,}?[.!?])\s+(?=\S)", text)
    return (match[1], text[match.end() :]) if match else (text, "")


def _scale(shown: FixInTarget) -> float:
    """Right end of the age bar in hours: five times the limit, or a bit more than the age."""
    since = shown.verdict.owed_since if shown.verdict else None
    return max(shown.policy.sla_hours * 5.0, words.seconds_since(since) / 3600 * 1.1)


def _lag(shown: FixInTarget) -> str:
    """For what is settled: how long production had it and the target had not."""
    verdict = shown.verdict
    if verdict is None or not verdict.settled or verdict.lag_seconds is None:
        return ""
    if verdict.lag_seconds <= 0:
        return "There before it was in production."
    return f"Came back {words.duration(verdict.lag_seconds)} after production had it."


def _commands_title(shown: FixInTarget) -> str:
    code = shown.verdict.code if shown.verdict else ""
    if code in (Code.LIKELY, Code.DECLARED):
        return "Look for yourself"
    if shown.verdict is not None and shown.verdict.settled:
        return "See it in your own clone"
    if shown.conflicts:
        return "Next: resolve the conflicts locally"
    return "Next: bring it over"


def _compared(repo: history.History, shown: FixInTarget) -> list[Compared]:
    """Fix and counterpart side by side, for evidence weaker than an identical patch."""
    found: list[Compared] = []
    judged = {
        entry.get("sha"): set(entry.get("evidence", [])) for entry in (shown.verdict.commits if shown.verdict else [])
    }
    for commit in shown.commits:
        if len(found) == COMPARED or not commit.counterpart or judged.get(commit.sha, set()) & _SAME:
            continue
        found.append(Compared(commit, repo.difference(commit.sha, commit.counterpart)))
    return found


def _conflicts(repo: history.History, shown: FixInTarget) -> list[ConflictFile]:
    """The files in which a pick would conflict, with their hunks: as judged, else tried now, else without."""
    if not shown.conflicts:
        return []
    hunks = trials.stored_hunks(shown.verdict.preview or {}) if shown.verdict else []
    if not hunks:
        needed = [commit.sha for commit in shown.owed or shown.commits]
        hunks = trials.conflict_hunks(repo, shown.target.tip, needed) or []
    files = {path: ConflictFile(words.visible(path)) for path in shown.conflicts}
    for path, hunk in hunks:
        if path in files:
            files[path].hunks.append(hunk)
    return list(files.values())
