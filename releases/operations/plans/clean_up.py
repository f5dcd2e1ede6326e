"""Deleting a hotfix branch, once every target has what is on it."""

from __future__ import annotations

from collections.abc import Sequence

from releases.git import objects
from releases.git.push import RefUpdate
from releases.git.values import shown
from releases.operations.plan import Nothing, Plan, PlanRefused
from releases.policies.names import matches

from .owing import Owed, owed_now
from .planning import Planning
from .words import listed


def plan_clean_up(planning: Planning) -> Plan | Nothing:
    """Delete `branch`, which must still stand at `head`, unless a target lacks one of `commits`.

    The targets are those that were named and those that the policy names today; git is asked anew for each.
    """
    branch = planning.branch("branch")
    facts = {"branch": str(branch), "head": planning.text("head")}
    if branch.full not in planning.refs:
        return Nothing(f"{branch} is gone already.", facts)
    _check_kind(planning, branch)
    head = planning.unmoved_tip(branch)
    commits = planning.commits("commits")
    owed = owed_now(planning, head, _with_own(planning, head, commits), planning.listed("targets"))
    if owed:
        raise _refused(branch, owed)
    return Plan((RefUpdate(branch.full, head, ""),), f"Deletes {branch}.", (), facts | {"head": head})


def _check_kind(planning: Planning, branch: str) -> None:
    """Raise PlanRefused for a branch that others live from."""
    policy = planning.policy
    protected = (*policy.production, *policy.targets, *policy.release_branches, *policy.support_branches)
    if matches(branch, [name for name in protected if not name.startswith("tags:")]):
        raise PlanRefused(
            "not-a-hotfix", f"{shown(branch)} is production, or a target of fixes. It is not deleted from here.",
            retryable=False,
        )  # fmt: skip


def _with_own(planning: Planning, head: str, commits: Sequence[str]) -> list[str]:
    """The commits, and those on the branch that no other branch and no tag has: they would be lost with it."""
    others = {sha for name, sha in planning.refs.items() if sha != head and not _pending(name)}
    found = objects.walk(planning.git_dir, [head, *(f"^{sha}" for sha in sorted(others))], "--no-merges", "--reverse")
    return list(dict.fromkeys([*commits, *found]))


def _pending(name: str) -> bool:
    """A branch that only carries work on its way to a target."""
    return name.startswith("refs/heads/mergeback/")


def _refused(branch: str, owed: Sequence[Owed]) -> PlanRefused:
    names = listed([shown(item.target) for item in owed])
    return PlanRefused(
        "owed",
        f"{shown(branch)} stays for now, since {names} {'lacks' if len(owed) == 1 else 'lack'} what is on it: "
        f"{owed[0].why.rstrip('.')}. Merge it back or settle it first.",
    )
