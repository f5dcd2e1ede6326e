"""What a page offers: the next step with its actions, and the ways out side by side. Plain data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from releases.git.page_reads import CommitInfo


@dataclass(frozen=True, slots=True)
class Action:
    """One thing that can be done now, or why it cannot."""

    kind: str
    """triage, decide, choose-way, cut, review, finish, merge-back, merge-back-all, clean-up, revert, re-apply, retry,
    close, reopen, edit, split; compare leads to the forge."""
    label: str
    allowed: bool = True
    why_not: str = ""
    """A sentence, when it is not allowed."""
    params: dict[str, Any] = field(default_factory=dict)
    """What the operation or form needs: target, branch, tag, …"""
    changes_remote: bool = False
    """Asks to be confirmed."""


@dataclass(frozen=True, slots=True)
class NextStep:
    """What is due now, in the words of the panel."""

    stage: str
    """A StageKey."""
    title: str
    says: str
    primary: Action | None = None
    others: tuple[Action, ...] = ()
    commands: tuple[str, ...] = ()
    """The same step in the shell."""


@dataclass(frozen=True, slots=True)
class Option:
    """One way out, with what git says about it now."""

    way: str
    """A Hotfix.Way."""
    label: str
    says: str
    """One sentence: what it does here."""
    points: tuple[str, ...] = ()
    """Facts for and against, a sentence each."""
    default: bool = False
    """What the flow policy does unless somebody decides otherwise."""
    possible: bool = True
    why_not: str = ""
    commits: tuple[CommitInfo, ...] = ()
    """Forward: what would ship along. Revert: the unreleased changes in the way."""
    commits_total: int = 0
    conflicts: tuple[str, ...] = ()
    """Paths in which the merge-back is predicted to conflict."""
    owes: tuple[str, ...] = ()
    """Branches that it would owe."""
    params: dict[str, Any] = field(default_factory=dict)
