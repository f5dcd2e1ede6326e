"""Merging a hotfix back with the same push that finishes it, where that is clean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from releases.git import objects
from releases.git.changes import Changes
from releases.operations.plan import Conflicted, Nothing, Plan, PlanRefused

from .merge_back import merge_back
from .planning import Planning
from .words import listed


def also_back(planning: Planning, work: Changes, plan: Plan) -> Plan:
    """The plan of a finish, with a merge-back into each branch of `also` in which that needs nobody's hand."""
    targets = list(dict.fromkeys(planning.listed("also")))
    if not targets or not plan.facts["fork"]:
        return plan
    updates, notes = list(plan.updates), list(plan.notes)
    taken = {update.name for update in updates}
    done: dict[str, Any] = {}
    span = [plan.facts["head"], f"^{plan.facts['fork']}"]
    commits = list(objects.walk(planning.git_dir, span, "--no-merges", "--reverse"))
    for target in targets:
        part = _part(planning, work, plan, target, commits)
        if isinstance(part, Plan):
            updates += [update for update in part.updates if update.name not in taken]
            notes += [f"{target}: {note}" for note in part.notes]
            done[target] = part.facts
        else:
            notes.append(f"Not merged back into {target} yet: {part.says}")
    if not done:
        return replace(plan, notes=tuple(notes))
    says = f"{plan.says.removesuffix('.')}, and merges it back into {listed(list(done), 5)}."
    return Plan(tuple(updates), says, tuple(notes), plan.facts | {"merged_back": done})


def _part(
    planning: Planning, work: Changes, plan: Plan, target: str, commits: Sequence[str]
) -> Plan | Nothing | Conflicted:
    facts = plan.facts
    if target == facts["production"]:
        return Nothing("it is production itself.")
    params = {
        "target": target, "commits": commits, "tip": facts["head"], "branch": facts["branch"],
        "ticket": planning.text("ticket"), "fix_key": facts["head"],
    }  # fmt: skip
    try:
        return merge_back(replace(planning, params=params), work)
    except PlanRefused as refusal:
        return Nothing(refusal.sentence)
