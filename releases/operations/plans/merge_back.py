"""Merging a fix back into a target: by merge where that brings nothing else, or commit by commit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from releases.git import objects
from releases.git.changes import Changes, Merged
from releases.git.commits import with_trailer
from releases.git.push import RefUpdate
from releases.git.ranges import lacking
from releases.git.reader import CommitObject
from releases.git.values import BranchName, shown
from releases.operations.plan import Conflicted, Nothing, Plan, PlanRefused
from releases.policies.wording import count

from .planning import Planning, name_taken
from .words import by_hand, listed, merge_subject, named, shell, source_words, with_ticket

METHODS = ("merge", "pick")


@dataclass(slots=True)
class _Back:
    """One merge-back in the making."""

    planning: Planning
    target: BranchName
    onto: BranchName
    """Where the result goes: the target, or a branch beside it."""
    start: str
    """Tip of `onto`, or of the target where `onto` is new."""
    commits: list[str]
    tip: str
    notes: list[str] = field(default_factory=list)
    lacks: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """What `start` has not of the tip's and the commits' history."""

    @property
    def ticket(self) -> str:
        return self.planning.text("ticket")

    @property
    def version_files(self) -> tuple[str, ...]:
        return self.planning.policy.version_files


def plan_merge_back(planning: Planning) -> Plan | Nothing | Conflicted:
    """Bring `commits` (oldest first) into `target` by `method`, the policy's by default.

    `tip` is what a merge merges. With `onto_branch` the result goes to that branch, which is made from the target or
    continued, for a target that takes no pushes. Version files keep the target's side.
    """
    with Changes(planning.git_dir) as work:
        return merge_back(planning, work)


def merge_back(planning: Planning, work: Changes) -> Plan | Nothing | Conflicted:
    """The same as part of something larger; what is written is kept."""
    method = planning.text("method") or planning.policy.merge_back
    if method not in METHODS:
        raise PlanRefused("invalid-value", f"{shown(method)} is no way to merge back.", retryable=False)
    back = _read(planning)
    _check_readable(back, work)
    back.lacks = lacking(planning.git_dir, back.start, [*back.commits, *([back.tip] if back.tip else [])])
    if all(sha not in back.lacks for sha in back.commits):
        return Nothing(f"{back.onto} has {_them(back)} already.", _facts(back, "merge"))
    if method == "merge" and _brings_only_the_fix(back, work):
        return _merge(back, work)
    return _pick(back, work)


def _read(planning: Planning) -> _Back:
    target = planning.branch("target")
    start = planning.tip(target)
    onto = target
    if planning.text("onto_branch"):
        onto = planning.new_branch("onto_branch")
        there = planning.refs.get(onto.full, start)
        # One that was merged already holds nothing that counts: it goes on from where the target stands now.
        start = start if objects.is_ancestor(planning.git_dir, there, start) else there
        if onto.full not in planning.refs and (taken := name_taken(planning.refs, onto.full)):
            raise PlanRefused("name-taken", f"{shown(onto)} cannot be made beside {shown(taken)}.", retryable=False)
    return _Back(planning, target, onto, start, planning.commits("commits"), planning.sha("tip"))


def _check_readable(back: _Back, work: Changes) -> None:
    for sha in [*back.commits, *([back.tip] if back.tip else [])]:
        if work.reader.peel(sha) != sha:
            raise PlanRefused(
                "no-commit",
                f"The commit {sha[:9]} is not in the repository any more. The branch may have been rewritten; look at "
                "the fix again.",
            )


def _them(back: _Back) -> str:
    return "this fix" if len(back.commits) == 1 else f"all {len(back.commits)} commits of this fix"


def _facts(back: _Back, method: str, **more: Any) -> dict[str, Any]:
    onto = str(back.onto) if back.onto != back.target else ""
    known = {"target": str(back.target), "onto_branch": onto, "method": method, "ticket": back.ticket}
    return {**known, "fix_key": back.planning.text("fix_key"), **more}


# --- by merge ---------------------------------------------------------------------------------------------------------


def _brings_only_the_fix(back: _Back, work: Changes) -> bool:
    """Whether merging the tip brings the commits of the fix and no other change; says what else, if not."""
    if not back.tip:
        return False
    mine = set(back.commits)
    reached = {back.tip}
    coming = _history(back)
    if not mine <= reached | coming.keys() | (mine - back.lacks.keys()):
        back.notes.append("The commits are not all in what would be merged, so they were picked.")
        return False
    others = [sha for sha, parents in coming.items() if sha not in mine and len(parents) < 2]
    merges = [sha for sha, parents in coming.items() if sha not in mine and len(parents) > 1]
    if merges:
        others += objects.touched_merges(back.planning.git_dir, merges, others.append)
    if others:
        names = listed([named(work.commit(sha)) for sha in others[:4]] + ["more"] * (len(others) - 4), 3)
        back.notes.append(
            f"Merging would also have brought {count(len(others), 'commit')} that {back.target} lacks ({names}), so "
            "the fix was picked instead."
        )
        return False
    return True


def _history(back: _Back) -> dict[str, tuple[str, ...]]:
    """What merging the tip brings: of all that lacks, the part that the tip reaches."""
    coming: dict[str, tuple[str, ...]] = {}
    pending = [back.tip]
    while pending:
        sha = pending.pop()
        if sha in back.lacks and sha not in coming:
            coming[sha] = back.lacks[sha]
            pending += back.lacks[sha]
    return coming


def _only_base(back: _Back) -> str:
    """Where the tip's history meets the target's, when it does so in one commit only."""
    coming = _history(back)
    meets = {parent for parents in coming.values() for parent in parents if parent not in coming}
    return meets.pop() if len(meets) == 1 else ""


def _merge(back: _Back, work: Changes) -> Plan | Conflicted:
    planning = back.planning
    merged = work.merge(back.start, back.tip, keep_ours=back.version_files, base=_only_base(back))
    source = source_words(planning.refs, back.tip, planning.branch("branch") if planning.text("branch") else "")
    if not merged.clean:
        return _conflicted(back, merged, "", [shell("git", "merge", "--no-ff", back.tip)])
    message = with_ticket(merge_subject(source, str(back.target)), back.ticket)
    commit = work.write_commit(merged.tree, [back.start, back.tip], message, planning.person, planning.person)
    work.keep()
    _note_kept(back, merged)
    return _plan(back, commit, _facts(back, "merge", merge=commit), f"Merges {source.replace(chr(39), '')}")


# --- commit by commit -------------------------------------------------------------------------------------------------


def _pick(back: _Back, work: Changes) -> Plan | Nothing | Conflicted:
    at, picked = back.start, []
    for sha in back.commits:
        if sha not in back.lacks:
            continue
        source = work.commit(sha)
        merged = work.pick(at, sha, keep_ours=back.version_files)
        if not merged.clean:
            return _conflicted(back, merged, named(source), _pick_commands(back, work))
        if merged.tree == work.commit(at).tree:
            back.notes.append(f"Left out: {named(source)}, since it changes nothing on {back.target}.")
            continue
        _note_kept(back, merged)
        at = _write_pick(back, work, source, at, merged.tree)
        picked.append([sha, at])
    if not picked:
        return Nothing(f"{back.onto} has the changes of {_them(back)} already.", _facts(back, "pick"))
    work.keep()
    return _plan(back, at, _facts(back, "pick", picked=picked), f"Picks {count(len(picked), 'commit')}")


def _write_pick(back: _Back, work: Changes, source: CommitObject, at: str, tree: str) -> str:
    """The commit anew on another parent: author, date and words stay, and say where it comes from."""
    message = with_trailer(source.message, f"(cherry picked from commit {source.sha})".encode())
    ticket = " ".join(back.ticket.split())
    if ticket and ticket not in source.text:
        message = with_trailer(message, f"Ticket: {ticket}".encode())
    return work.write_commit(tree, [at], message, source.author, back.planning.person, source.encoding)


def _pick_commands(back: _Back, work: Changes) -> list[str]:
    commands = []
    for sha in back.commits:
        if sha in back.lacks:
            first_parent = ["-m", "1"] if len(work.commit(sha).parents) > 1 else []
            commands.append(shell("git", "cherry-pick", "-x", *first_parent, sha))
    return commands


# --- what comes of it -------------------------------------------------------------------------------------------------


def _note_kept(back: _Back, merged: Merged) -> None:
    if merged.kept:
        verb = "stays" if len(merged.kept) == 1 else "stay"
        note = f"{listed([shown(path) for path in merged.kept])} {verb} as {back.target} has {_it(merged.kept)}."
        if note not in back.notes:
            back.notes.append(note)


def _it(paths: Sequence[str]) -> str:
    return "it" if len(paths) == 1 else "them"


def _plan(back: _Back, new: str, facts: dict[str, Any], does: str) -> Plan:
    old = back.planning.refs.get(back.onto.full, "")
    where = f"into {back.target}" if back.onto == back.target else f"on {back.onto}, made for {back.target}"
    return Plan((RefUpdate(back.onto.full, old, new),), f"{does} {where}.", tuple(back.notes), facts)


def _conflicted(back: _Back, merged: Merged, what: str, steps: Sequence[str]) -> Conflicted:
    data = tuple(conflict.as_data() for conflict in merged.conflicts)
    subject = f"{what} conflicts" if what else "This conflicts"
    says = f"{subject} with {back.target} in {count(len(data), 'place')}. Nothing was changed."
    work = str(back.onto) if back.onto != back.target else f"mergeback-to-{back.target}"
    return Conflicted(says, data, by_hand(back.target, work, steps, str(back.onto)))
