"""Finishing a hotfix: into production's branch, and a tag that differs from what production runs by the fix alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from releases.git import objects
from releases.git.changes import Changes, Merged
from releases.git.push import RefUpdate
from releases.git.ranges import Parting, parting, straight
from releases.git.values import BranchName, TagName, shown
from releases.operations.plan import Conflicted, Nothing, Plan, PlanRefused
from releases.policies.wording import count

from .finish_also import also_back
from .planning import Planning
from .release_base import ReleaseBase, alone, check_order, check_tag, release_base
from .words import by_hand, listed, merge_subject, named, shell

METHODS = ("merge", "ff", "squash")


@dataclass(frozen=True, slots=True)
class _Finish:
    """What is to be finished, with its names looked up."""

    planning: Planning
    branch: BranchName
    head: str
    tag: TagName
    production: BranchName | None
    """None where tags alone are production."""
    method: str
    message: str

    @property
    def tip(self) -> str:
        """Of production's branch."""
        assert self.production is not None  # noqa: S101 - asked only where there is one
        return self.planning.tip(self.production)


@dataclass(frozen=True, slots=True)
class _Landing:
    """How the fix is in production's branch: the branch's tip afterwards, and the commit that brings it."""

    tip: str
    merge: str
    fork: str
    """Where the hotfix left production's history."""
    notes: tuple[str, ...] = ()


def plan_finish(planning: Planning) -> Plan | Nothing | Conflicted:
    """Bring `branch` into `production` by `method` (merge, ff, squash; default: the policy's) and make the tag `tag`.

    Both in one push. `production` empty or `tags:…`: only the tag. `head`, when given, is where the branch must still
    stand; `message` goes into the merge and the tag. `also` are targets to merge back into with the same push, those
    left out with a note in which that conflicts.
    """
    finish = _read(planning)
    with Changes(planning.git_dir) as work:
        if done := _finished_before(finish, work):
            return done
        check_tag(planning, finish.tag)
        plan = _tag_only(finish, work) if finish.production is None else _merge_and_tag(finish, work)
        return also_back(planning, work, plan) if isinstance(plan, Plan) else plan


def _read(planning: Planning) -> _Finish:
    branch = planning.branch("branch")
    production = planning.text("production")
    named_branch = planning.branch("production") if production and not production.startswith("tags:") else None
    method = planning.text("method") or planning.policy.finish
    if method not in METHODS:
        raise PlanRefused("invalid-value", f"{shown(method)} is no way to finish a hotfix.", retryable=False)
    head = planning.unmoved_tip(branch)
    tag = TagName.parse(planning.text("tag"))
    return _Finish(planning, branch, head, tag, named_branch, method, planning.text("message").strip())


def _finished_before(finish: _Finish, work: Changes) -> Nothing | None:
    """Nothing is left to do when tag and production have the branch; a tag that has it not is in the way."""
    there = finish.planning.refs.get(finish.tag.full)
    if there is None:
        return None
    commit = work.reader.peel(there)
    git_dir = finish.planning.git_dir
    tips = [commit] if finish.production is None else [commit, finish.tip]
    if all(tip and objects.is_ancestor(git_dir, finish.head, tip) for tip in tips):
        facts = {"tag": str(finish.tag), "tagged": commit, "branch": str(finish.branch)}
        return Nothing(f"{finish.tag} is there already and has {finish.branch}.", facts)
    raise PlanRefused(
        "tag-exists",
        f"The tag {shown(finish.tag)} is there already, for something else. A tag is never moved; take the next "
        "version.",
        retryable=False,
    )


def _merge_and_tag(finish: _Finish, work: Changes) -> Plan | Conflicted:
    planning, production = finish.planning, finish.production
    assert production is not None  # noqa: S101
    check_order(planning, work, finish.tag, finish.tip, production)
    sides = straight(work.reader, finish.tip, finish.head) or parting(planning.git_dir, finish.tip, finish.head)
    base = release_base(planning, work, finish.tag, [finish.tip, finish.head], sides)
    landing = _landed(finish, work, sides, base) if not sides.right else _landing(finish, work, sides)
    if isinstance(landing, Conflicted):
        return landing
    tagged, notes = _what_to_tag(finish, work, landing, base)
    tag = _write_tag(finish, work, tagged)
    work.keep()
    updates = [RefUpdate(finish.tag.full, "", tag)]
    if landing.tip != finish.tip:
        updates.insert(0, RefUpdate(production.full, finish.tip, landing.tip))
    where = f"Brings {finish.branch} into {production} and tags" if len(updates) > 1 else "Tags"
    what = "it" if tagged == landing.merge else f"the tip of {finish.branch}"
    facts = _facts(finish, tag, tagged, base) | {"merge": landing.merge, "method": finish.method, "fork": landing.fork}
    return Plan(tuple(updates), f"{where} {what} {finish.tag}.", (*landing.notes, *notes), facts)


def _facts(finish: _Finish, tag: str, tagged: str, base: ReleaseBase | None) -> dict[str, Any]:
    return {
        "branch": str(finish.branch), "head": finish.head, "tag": str(finish.tag), "tag_object": tag, "tagged": tagged,
        "production": str(finish.production or ""), "base_tag": base.tag if base else "",
    }  # fmt: skip


# --- into production's branch -----------------------------------------------------------------------------------------


def _landing(finish: _Finish, work: Changes, sides: Parting) -> _Landing | Conflicted:
    if not sides.bases:
        raise PlanRefused(
            "unrelated", f"{shown(finish.branch)} and {shown(finish.production or '')} have no history in common.",
            retryable=False,
        )  # fmt: skip
    fork = sides.bases[0]
    onto_it = finish.tip in sides.bases
    if finish.method == "ff" and onto_it:
        return _Landing(finish.head, finish.head, fork)
    # What stands on production's tip is merged as it is; git need not be asked.
    base = fork if len(sides.bases) == 1 else ""
    merged = Merged(work.commit(finish.head).tree) if onto_it else work.merge(finish.tip, finish.head, base=base)
    if not merged.clean:
        return _conflicted(finish, merged)
    notes: tuple[str, ...] = ()
    if finish.method == "ff":
        notes = (f"{finish.production} has moved on since, so this is a merge commit and not a fast-forward.",)
    if finish.method == "squash":
        commit = _write_squash(finish, work, merged.tree, sides)
    else:
        subject = merge_subject(f"branch '{finish.branch}'", str(finish.production))
        message = f"{subject}\n\n{finish.message}"
        person = finish.planning.person
        commit = work.write_commit(merged.tree, [finish.tip, finish.head], message, person, person)
    return _Landing(commit, commit, fork, notes)


def _write_squash(finish: _Finish, work: Changes, tree: str, sides: Parting) -> str:
    """One commit with all of the branch; its author is the branch's, when that is one person."""
    commits = [work.commit(sha) for sha, parents in reversed(sides.right.items()) if len(parents) < 2]
    who = {commit.author.rpartition(b">")[0] for commit in commits}
    author = commits[-1].author if len(who) == 1 else finish.planning.person
    subject = finish.message or (commits[0].subject if commits else f"Squash {finish.branch}")
    lines = [f"* {commit.sha[:12]} {commit.subject}" for commit in commits]
    message = f"{subject}\n\nSquashed from branch '{finish.branch}':\n\n" + "\n".join(lines)
    return work.write_commit(tree, [finish.tip], message, author, finish.planning.person)


def _landed(finish: _Finish, work: Changes, sides: Parting, base: ReleaseBase | None) -> _Landing:
    """The branch is in production's branch already, brought by somebody: find the merge that did it."""
    if base is not None and base.commit == finish.head:
        raise PlanRefused("empty-branch", f"{shown(finish.branch)} has no commit of its own yet.", retryable=False)
    note = f"{finish.production} has {finish.branch} already, so only the tag is made."
    at = finish.tip
    while at in sides.left:
        first, *others = sides.left[at] or ("",)
        if finish.head in others:
            forks = objects.merge_bases(finish.planning.git_dir, [first, finish.head])
            return _Landing(finish.tip, at, forks[0] if forks else first, (note,))
        at = first
    fork = base.commit if base is not None else finish.head
    return _Landing(finish.tip, finish.head, fork, (note,))


def _conflicted(finish: _Finish, merged: Merged) -> Conflicted:
    data = tuple(conflict.as_data() for conflict in merged.conflicts)
    says = (
        f"{finish.branch} and {finish.production} conflict in {count(len(data), 'place')}. Nothing was changed. "
        f"Merge {finish.production} into {finish.branch}, resolve it there, and finish again."
    )
    merge = shell("git", "merge", "--no-ff", f"origin/{finish.production}")
    return Conflicted(says, data, by_hand(finish.branch, finish.branch, [merge], finish.branch))


# --- the tag ----------------------------------------------------------------------------------------------------------


def _tag_only(finish: _Finish, work: Changes) -> Plan:
    """Where tags are production: the branch itself is tagged, and it must hold what production runs."""
    planning = finish.planning
    base = release_base(planning, work, finish.tag, [], None)
    if base is not None:
        if base.commit == finish.head:
            raise PlanRefused("empty-branch", f"{shown(finish.branch)} has no commit of its own yet.", retryable=False)
        if not objects.is_ancestor(planning.git_dir, base.commit, finish.head):
            raise _behind(finish, base)
    tag = _write_tag(finish, work, finish.head)
    work.keep()
    facts = _facts(finish, tag, finish.head, base) | {"method": "tag", "fork": base.commit if base else ""}
    says = f"Tags the tip of {finish.branch} {finish.tag}."
    return Plan((RefUpdate(finish.tag.full, "", tag),), says, (), facts)


def _what_to_tag(
    finish: _Finish, work: Changes, landing: _Landing, base: ReleaseBase | None
) -> tuple[str, tuple[str, ...]]:
    """The commit whose files are those of what production runs plus the fix alone, and what to say about it."""
    if base is None:
        note = "Nothing is tagged yet, so there is no release to compare with: the tag is on what was just merged."
        return landing.merge, (note,)
    wanted = alone(work, base.commit, landing.fork, finish.head)
    if wanted and work.commit(landing.merge).tree == wanted:
        return landing.merge, ()
    if wanted and work.commit(finish.head).tree == wanted:
        note = (
            f"{finish.production} holds more than {base.tag} and this fix, which is not released yet. So the tag is on "
            f"the tip of {finish.branch}: it differs from {base.tag} by the fix alone."
        )
        return finish.head, (note,)
    raise _not_alone(finish, work, landing, base)


def _not_alone(finish: _Finish, work: Changes, landing: _Landing, base: ReleaseBase) -> PlanRefused:
    if not objects.is_ancestor(finish.planning.git_dir, base.commit, finish.head):
        return _behind(finish, base)
    more = objects.walk(finish.planning.git_dir, [landing.fork, f"^{base.commit}"], "--no-merges")
    names = [named(work.commit(sha)) for sha in list(more)[:50]]
    return PlanRefused(
        "not-alone",
        f"{shown(finish.branch)} does not start from {base.tag}: it also holds what {finish.production} has and no "
        f"release has yet ({listed(names) or 'other changes'}). Cut a branch from {base.tag} and pick the "
        "fix onto it.",
        retryable=False,
    )


def _behind(finish: _Finish, base: ReleaseBase) -> PlanRefused:
    return PlanRefused(
        "behind",
        f"Production has {base.tag} by now, which {shown(finish.branch)} lacks: released as it is, the branch would "
        f"bring back what {base.tag} mended. Merge {base.tag} into {finish.branch}, then finish.",
        retryable=False,
    )


def _write_tag(finish: _Finish, work: Changes, commit: str) -> str:
    message = f"{finish.tag}\n\n{finish.message}"
    return work.write_tag(finish.tag, commit, message, finish.planning.person, finish.planning.signer)
