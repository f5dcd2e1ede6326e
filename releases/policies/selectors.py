"""One fix and its verdicts, as the evidence and fix pages show them."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from releases.evidence.verdicts import Code, Evidence
from releases.ledger.models import Event
from releases.projects.models import Project

from .flow import FlowPolicy
from .models import Fix, Target, Verdict
from .names import mergeback_branch

EVIDENCE_SAYS: dict[str, str] = {
    Evidence.ANCESTOR: "the commit itself is in its history",
    Evidence.PATCH_ID: "same patch",
    Evidence.NO_CONTEXT: "same changed lines",
    Evidence.TRAILER: "named in the message",
    Evidence.CHANGE_ID: "same Change-Id",
    Evidence.AUTHOR_DATE: "same author and date",
    Evidence.SUBJECT: "same subject",
    Evidence.SIMILARITY: "similar lines",
    Evidence.SQUASH: "inside one squashed commit",
    Evidence.TRIAL_PICK: "a trial pick changes nothing",
    Evidence.REVERT: "undone later",
    Evidence.EMPTY: "changes nothing",
}
"""Evidence codes in words; each completes "as <sha>, …"."""
_SHORT = 12
"""Digits of an object id in commands for people."""
EVENTS = 60
"""Ledger rows that the fix page shows."""


@dataclass(frozen=True, slots=True)
class CommitRow:
    """One commit of a fix beside what stands for it in the target."""

    sha: str
    subject: str
    author: str
    authored_at: datetime | None
    code: str
    settled: bool
    counterparts: tuple[str, ...]
    words: str
    """The evidence, in words."""
    why: str
    reverted_by: tuple[str, ...]

    @property
    def counterpart(self) -> str:
        """The counterpart to compare with: none when it is the commit itself."""
        return next((sha for sha in self.counterparts if sha != self.sha), "")


@dataclass(slots=True)
class FixInTarget:
    """One verdict with everything that it rests on."""

    project: Project
    policy: FlowPolicy
    fix: Fix
    target: Target
    verdict: Verdict | None
    commits: list[CommitRow]

    @property
    def owed(self) -> list[CommitRow]:
        """The commits that the target still needs."""
        return [commit for commit in self.commits if not commit.settled]

    @property
    def conflicts(self) -> list[str]:
        preview = (self.verdict.preview if self.verdict else None) or {}
        return [str(path) for path in preview.get("conflicts", [])]


@dataclass(slots=True)
class FixStory:
    """A fix, its verdict in every open target and in those closed since, and what the ledger tells."""

    project: Project
    policy: FlowPolicy
    fix: Fix
    verdicts: list[Verdict]
    commits: list[CommitRow]
    events: list[Event]
    events_total: int

    @property
    def open_verdicts(self) -> list[Verdict]:
        return [verdict for verdict in self.verdicts if verdict.target.closed_at is None]


def fix_find(project: Project, key: str) -> Fix | None:
    """The fix with this object id, whole or as a prefix of 7 digits or more that fits one fix only."""
    if not re.fullmatch(r"[0-9a-f]{7,64}", key):
        return None
    found = list(Fix.objects.filter(project=project, key__startswith=key).select_related("release")[:2])
    return found[0] if len(found) == 1 or (found and found[0].key == key) else None


def fix_in_target(project: Project, key: str, branch: str) -> FixInTarget | None:
    """The evidence for one fix in one branch, or None when either is not known."""
    fix = fix_find(project, key)
    target = Target.objects.filter(project=project, branch=branch).first() if fix else None
    if fix is None or target is None:
        return None
    verdict = Verdict.objects.filter(fix=fix, target=target).select_related("fix", "target", "settlement").first()
    policy = FlowPolicy.from_data(project.policy)
    return FixInTarget(project, policy, fix, target, verdict, commit_rows(fix, verdict))


def fix_story(project: Project, key: str) -> FixStory | None:
    """Everything the fix page shows, or None when there is no such fix."""
    fix = fix_find(project, key)
    if fix is None:
        return None
    verdicts = list(
        Verdict.objects.filter(fix=fix)
        .select_related("target", "settlement", "fix__project")
        .order_by("target__position", "target__branch")
    )
    told = Event.objects.filter(project=project, subject=f"fix:{fix.key}")
    events = list(told.order_by("-at", "-pk")[:EVENTS])
    total = told.count() if len(events) == EVENTS else len(events)
    policy = FlowPolicy.from_data(project.policy)
    return FixStory(project, policy, fix, verdicts, commit_rows(fix, None), events, total)


def commit_rows(fix: Fix, verdict: Verdict | None) -> list[CommitRow]:
    """The fix's commits, oldest first, each with its own verdict where there is one."""
    judged = {entry.get("sha"): entry for entry in (verdict.commits if verdict else [])}
    known = {entry.get("sha"): entry for entry in fix.commits}
    shas = list(known) + [sha for sha in judged if sha not in known]
    return [_commit_row(str(sha), known.get(sha, {}), judged.get(sha, {})) for sha in shas]


def _commit_row(sha: str, commit: dict[str, Any], judged: dict[str, Any]) -> CommitRow:
    return CommitRow(
        sha=sha,
        subject=str(commit.get("subject", "")),
        author=str(commit.get("author_name") or commit.get("author") or ""),
        authored_at=moment(commit.get("authored_at")),
        code=str(judged.get("verdict", "")),
        settled=bool(judged.get("settled", False)),
        counterparts=tuple(map(str, judged.get("counterparts", []))),
        words=evidence_words(judged),
        why=str(judged.get("why", "")),
        reverted_by=tuple(map(str, judged.get("reverted_by", []))),
    )


def evidence_words(judged: dict[str, Any]) -> str:
    """What one commit's verdict rests on: "same patch", "same author and date, 92 % alike"."""
    similarity = judged.get("similarity")
    words = []
    for code in judged.get("evidence", []):
        if code == Evidence.SIMILARITY and isinstance(similarity, int | float):
            words.append(f"{similarity:.0%} alike".replace("%", " %"))
        else:
            words.append(EVIDENCE_SAYS.get(code, str(code)))
    return ", ".join(words)


def moment(value: Any) -> datetime | None:
    """A stored time (Unix seconds or ISO text) as an aware datetime."""
    try:
        if isinstance(value, int | float):
            return datetime.fromtimestamp(value, UTC)
        found = datetime.fromisoformat(str(value).replace("Z", "+00:00"))
        return found if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError, OSError):
        return None


def git_commands(shown: FixInTarget) -> list[str]:
    """What to type to settle it, one line each; a line that begins with # explains.

    Every value from outside is quoted, so that a branch name with shell signs stays a name.
    """
    code = shown.verdict.code if shown.verdict else ""
    if code in (Code.MERGED, Code.EQUIVALENT, Code.NOTHING_OWED, Code.DECLARED, Code.LIKELY, Code.WAIVED):
        return _commands_to_look(shown)
    return _commands_to_pick(shown)


def _commands_to_look(shown: FixInTarget) -> list[str]:
    """Commands that show what the verdict rests on."""
    remote = shlex.quote(f"origin/{shown.target.branch}")
    lines = ["git fetch origin"]
    for commit in shown.commits[:20]:
        if commit.counterpart:
            lines.append(f"git range-diff {commit.sha[:_SHORT]}^! {commit.counterpart[:_SHORT]}^!")
        elif commit.sha in commit.counterparts or commit.code == Code.MERGED:
            lines.append(f"git merge-base --is-ancestor {commit.sha[:_SHORT]} {remote} && echo it is there")
        else:
            lines.append(f"git show {commit.sha[:_SHORT]}")
    return lines


def _commands_to_pick(shown: FixInTarget) -> list[str]:
    """Commands that bring what is missing to the target, on a branch of its own."""
    name = mergeback_branch(shown.fix.ticket, shown.fix.key, shown.target.branch)
    needed = shown.owed or shown.commits
    parent = "-m 1 " if shown.fix.kind == Fix.Kind.EVIL else ""
    lines = [
        "git fetch origin",
        f"git switch -c {name} {shlex.quote(f'origin/{shown.target.branch}')}",
        f"git cherry-pick -x {parent}{' '.join(commit.sha[:_SHORT] for commit in needed)}",
    ]
    if count := len(shown.conflicts):
        files = "1 file" if count == 1 else f"{count} files"
        lines.append(f"# resolve {files}, then: git cherry-pick --continue")
    return [*lines, f"git push -u origin {name}"]


def ticket_link(policy: FlowPolicy, ticket: str) -> str:
    """Where the ticket lives, or an empty string; only http(s) addresses are links."""
    if not ticket or not policy.ticket_url.startswith(("https://", "http://")):
        return ""
    return policy.ticket_url.replace("{ticket}", quote(ticket, safe=""))
