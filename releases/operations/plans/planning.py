"""What every planner gets, and how it reads what was asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from releases.git.commits import Person
from releases.git.signing import Signer
from releases.git.values import BranchName, Sha, TagName, shown
from releases.operations.plan import PlanRefused
from releases.policies.flow import FlowPolicy

MOST_COMMITS = 200
"""Commits that one operation may pick or undo."""


@dataclass(frozen=True, slots=True)
class Planning:
    """One operation to plan."""

    git_dir: Path
    """The mirror, with every object that `refs` names; its lock is held."""
    refs: Mapping[str, str]
    """Full name → object id of the remote now: `Session.refs`."""
    policy: FlowPolicy
    params: Mapping[str, Any]
    """As asked for; nothing in it is trusted."""
    person: Person
    """Who asked, and when: author or committer of everything that is written."""
    project_pk: int
    signer: Signer | None = None
    """The project's signing key, for what writes a tag."""

    # --- what was asked for; each raises InvalidValue or PlanRefused --------------------------------------------------

    def text(self, key: str) -> str:
        """Any text; empty when it is not given."""
        value = self.params.get(key) or ""
        return value if isinstance(value, str) else str(value)

    def branch(self, key: str) -> BranchName:
        """The name of a branch that is there, or should be."""
        return BranchName.existing(self.text(key).removeprefix("refs/heads/"))

    def new_branch(self, key: str) -> BranchName:
        """A name for a branch that is to be made."""
        return BranchName.parse(self.text(key).removeprefix("refs/heads/"))

    def tag(self, key: str) -> TagName:
        return TagName.existing(self.text(key).removeprefix("refs/tags/"))

    def sha(self, key: str) -> str:
        """A whole object id; empty when it is not given."""
        return Sha.parse(self.text(key)) if self.text(key) else ""

    def listed(self, key: str) -> list[str]:
        """A list of texts; anything else is refused."""
        value = self.params.get(key) or []
        if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
            raise PlanRefused("invalid-value", f"“{key}” is not a list of names.", retryable=False)
        return list(value)

    def commits(self, key: str) -> list[str]:
        """Object ids, each once, in the order given; at least one."""
        found = list(dict.fromkeys(Sha.parse(item) for item in self.listed(key)))
        if not found:
            raise PlanRefused("no-commits", "No commit is named that this is about.", retryable=False)
        if len(found) > MOST_COMMITS:
            raise PlanRefused("too-many", f"More than {MOST_COMMITS} commits at once are not handled.", retryable=False)
        return list(found)

    # --- the remote now -----------------------------------------------------------------------------------------------

    def tip(self, branch: BranchName) -> str:
        """Where a branch stands on the remote. Raises PlanRefused when it is not there."""
        tip = self.refs.get(branch.full)
        if tip is None:
            raise PlanRefused("no-branch", f"There is no branch {shown(branch)} on the remote (any more).")
        return tip

    def unmoved_tip(self, branch: BranchName, key: str = "head") -> str:
        """The same, and it must still be what was looked at when this was asked for."""
        tip, seen = self.tip(branch), self.sha(key)
        if seen and seen != tip:
            raise PlanRefused(
                "moved-on",
                f"{shown(branch)} was pushed to since this was asked for: it stands at {tip[:9]} and not at "
                f"{seen[:9]}. Look at what is new there, then ask again.",
                retryable=False,
            )
        return tip

    def branches(self) -> dict[str, str]:
        """Short name → commit of every branch."""
        prefix = "refs/heads/"
        return {name.removeprefix(prefix): sha for name, sha in self.refs.items() if name.startswith(prefix)}

    def tags(self) -> dict[str, str]:
        """Short name → object id of every tag; what it leads to is not looked up."""
        prefix = "refs/tags/"
        return {name.removeprefix(prefix): sha for name, sha in self.refs.items() if name.startswith(prefix)}


def name_taken(refs: Mapping[str, str], full: str) -> str:
    """The ref that stands in the way of this name, since `a` and `a/b` cannot both be; empty when none does."""
    for name in refs:
        if name.startswith(f"{full}/") or full.startswith(f"{name}/"):
            return name
    return ""
