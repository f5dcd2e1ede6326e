"""Cutting a hotfix branch from the exact production tag."""

from __future__ import annotations

from releases.git.push import RefUpdate
from releases.git.reader import Reader
from releases.git.values import shown
from releases.operations.plan import Nothing, Plan, PlanRefused

from .planning import Planning, name_taken


def plan_cut(planning: Planning) -> Plan | Nothing:
    """Make `branch` at the commit of `tag`, which must still be `commit` when that is given.

    Without a tag (nothing was ever released), at `commit`. The tip of production's branch plays no part.
    """
    branch = planning.new_branch("branch")
    start, where = _start(planning)
    facts = {"branch": str(branch), "commit": start, "tag": planning.text("tag")}
    there = planning.refs.get(branch.full)
    if there == start:
        return Nothing(f"{branch} is there already, at {where}.", facts)
    if there is not None:
        raise PlanRefused(
            "branch-exists",
            f"There is a branch {shown(branch)} already, at {there[:9]} and not at {where}. Adopt it, or take another "
            "name.",
            retryable=False,
        )
    if taken := name_taken(planning.refs, branch.full):
        raise PlanRefused(
            "name-taken", f"{shown(branch)} cannot be made beside {shown(taken)}. Take another name.", retryable=False
        )
    return Plan((RefUpdate(branch.full, "", start),), f"Makes {branch} at {where}.", (), facts)


def _start(planning: Planning) -> tuple[str, str]:
    """The commit to start from, and how it is called."""
    wanted = planning.sha("commit")
    with Reader(planning.git_dir) as reader:
        if not planning.text("tag"):
            if not wanted or reader.peel(wanted) != wanted:
                raise PlanRefused("no-start", "Neither a tag nor a commit is named to start from.", retryable=False)
            return wanted, wanted[:9]
        tag = planning.tag("tag")
        named = planning.refs.get(tag.full)
        if named is None:
            raise PlanRefused("no-tag", f"There is no tag {shown(tag)} on the remote (any more).")
        commit = reader.peel(named)
    if commit is None:
        raise PlanRefused("no-commit", f"The tag {shown(tag)} does not lead to a commit.", retryable=False)
    if wanted and commit != wanted:
        raise PlanRefused(
            "tag-moved",
            f"The tag {shown(tag)} was moved: it leads to {commit[:9]} and not to {wanted[:9]} any more. Find out "
            "which of them runs in production before anything starts from it.",
            retryable=False,
        )
    return commit, str(tag)
