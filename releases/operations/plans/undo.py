"""Taking unreleased changes back to clear the way, and bringing them in again later."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from releases.git import objects
from releases.git.changes import Changes, Merged
from releases.git.push import RefUpdate
from releases.git.reader import CommitObject
from releases.git.values import shown
from releases.operations.plan import Conflicted, Nothing, Plan, PlanRefused
from releases.policies.wording import count

from .planning import Planning
from .words import by_hand, named, reapply_message, revert_message, shell

_REVERTS = re.compile(r"^This reverts commit ([0-9a-f]{7,64})\b", re.MULTILINE)
_Wording = Callable[[CommitObject, str], str]


def plan_revert(planning: Planning) -> Plan | Nothing | Conflicted:
    """Undo `commits` on `branch`, the newest first, one commit each."""
    return _undo(planning, "commits", revert_message, "Reverts", "reverts")


def plan_reapply(planning: Planning) -> Plan | Nothing | Conflicted:
    """Undo the `reverts` on `branch`, the newest first: what they took away is there again."""
    return _undo(planning, "reverts", reapply_message, "Re-applies", "reapplied")


def _undo(planning: Planning, key: str, wording: _Wording, verb: str, fact: str) -> Plan | Nothing | Conflicted:
    branch = planning.branch("branch")
    tip = planning.tip(branch)
    wanted = newest_first(planning, tip, planning.commits(key), branch)
    ticket = planning.text("ticket")
    at, undone, left_out = tip, [], []
    with Changes(planning.git_dir) as work:
        done = _undone_before(planning, work, tip, wanted)
        for sha in wanted:
            source = work.commit(sha)
            if sha in done:
                left_out.append(named(source))
                continue
            merged = work.revert(at, sha)
            if not merged.clean:
                return _conflicted(work, branch, source, merged, wanted)
            if merged.tree == work.commit(at).tree:
                left_out.append(named(source))
                continue
            message = wording(source, ticket)
            at = work.write_commit(merged.tree, [at], message, planning.person, planning.person)
            undone.append([sha, at])
        facts = {"branch": str(branch), "undone": undone, fact: [made for _sha, made in undone], "ticket": ticket}
        if at == tip:
            return Nothing(f"{branch} needs no change: what this would take back is not there.", facts)
        work.keep()
    notes = tuple(f"Left out: {name}, since nothing of it is left on {branch}." for name in left_out)
    says = f"{verb} {count(len(undone), 'commit')} on {branch}."
    return Plan((RefUpdate(branch.full, tip, at),), says, notes, facts)


def newest_first(planning: Planning, tip: str, wanted: Sequence[str], branch: str) -> list[str]:
    """These commits in the order of the branch's history, newest first. Raises PlanRefused when one is not in it."""
    missing, order = set(wanted), []
    for sha in objects.walk(planning.git_dir, [tip], "--topo-order"):
        if sha in missing:
            missing.discard(sha)
            order.append(sha)
            if not missing:
                return order
    absent = next(sha for sha in wanted if sha in missing)
    raise PlanRefused(
        "not-there", f"The commit {absent[:9]} is not in {shown(branch)}, so there is nothing to undo.", retryable=False
    )


def _undone_before(planning: Planning, work: Changes, tip: str, wanted: Sequence[str]) -> set[str]:
    """Those of the commits that messages on the branch undo, by something that was not undone in turn."""
    later = list(objects.walk(planning.git_dir, [tip, f"^{wanted[-1]}"], "--topo-order"))
    known = [*wanted, *later]
    undone: set[str] = set()
    for by in later:
        for written in () if by in undone else _REVERTS.findall(work.commit(by).text):
            # Newest first: whatever undid this one has been seen before it.
            undone.update(sha for sha in known if sha.startswith(written))
    return undone


def _conflicted(work: Changes, branch: str, source: CommitObject, merged: Merged, wanted: Sequence[str]) -> Conflicted:
    steps = []
    for sha in wanted:
        first_parent = ["-m", "1"] if len(work.commit(sha).parents) > 1 else []
        steps.append(shell("git", "revert", *first_parent, sha))
    data = tuple(conflict.as_data() for conflict in merged.conflicts)
    says = f"Undoing {named(source)} on {branch} conflicts in {count(len(data), 'place')}. Nothing was changed."
    return Conflicted(says, data, by_hand(branch, f"undo-on-{branch}", steps, branch))
