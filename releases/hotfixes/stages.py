"""The fourteen stages of a hotfix, computed from facts. Plain data; no I/O, no Django."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any

from .facts import HotfixFacts


class StageKey(StrEnum):
    TRIAGE = "triage"
    BRANCH = "branch"
    FIX = "fix"
    REVIEW = "review"
    TAG = "tag"
    TESTS = "tests"
    BUILD = "build"
    STAGING = "staging"
    APPROVAL = "approval"
    PRODUCTION = "production"
    VERIFY = "verify"
    MERGE_BACK = "merge-back"
    CLEAN_UP = "clean-up"
    POST_MORTEM = "post-mortem"

    @property
    def label(self) -> str:
        return self.value.capitalize()

    @classmethod
    def choices(cls) -> list[tuple[str, str]]:
        return [(key.value, key.label) for key in cls]


class StageState(StrEnum):
    """How a step of the stepper looks; each has an icon and a word."""

    TODO = "todo"
    """Not reached."""
    WAITING = "waiting"
    """Waits for a person."""
    RUNNING = "running"
    """Goes on by itself."""
    DONE = "done"
    OWED = "owed"
    """Due, and the next release would suffer."""
    FAILED = "failed"
    SKIPPED = "skipped"
    """Not needed here; the detail says why."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One step as observed."""

    key: StageKey
    state: StageState
    at: float | None = None
    """When it was reached, in seconds since 1970; None when it is not, or nobody knows."""
    took: float | None = None
    """Seconds since the stage before it was reached."""
    detail: str = ""
    """The line below: `owed`, `due 26 Nov`, `by Aiko`."""

    def as_data(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_data(cls, data: dict[str, Any]) -> Stage:
        return cls(StageKey(data["key"]), StageState(data["state"]), data["at"], data["took"], data["detail"])


NOT_TRACKED = "not tracked yet"
_TOLD = (
    StageKey.TESTS, StageKey.BUILD, StageKey.STAGING, StageKey.APPROVAL, StageKey.VERIFY, StageKey.POST_MORTEM,
)  # fmt: skip
"""Stages that git cannot know; the ledger tells of them, where anybody does."""


def stages(facts: HotfixFacts) -> list[Stage]:
    """All fourteen stages, in order, as the facts have them."""
    found = [_stage(key, facts) for key in StageKey]
    if facts.closed:
        found = [_ended(stage, facts.closed) for stage in found]
    return _timed(found, facts.opened_at)


def current(found: Sequence[Stage]) -> StageKey:
    """The stage that the hotfix is at: the first that is neither done nor skipped, else the last."""
    return next((stage.key for stage in found if stage.state not in _OVER), StageKey.POST_MORTEM)


def finished(found: Sequence[Stage]) -> bool:
    """Whether nothing is left to do: every stage is done or not needed, and the change went out."""
    over = all(stage.state in _OVER for stage in found)
    return over and any(stage.key is StageKey.PRODUCTION and stage.state is StageState.DONE for stage in found)


_OVER = (StageState.DONE, StageState.SKIPPED)


def _stage(key: StageKey, facts: HotfixFacts) -> Stage:
    told = facts.told.get(key.value)
    if key is StageKey.PRODUCTION:
        return _production(facts)
    if told is not None and key in _TOLD:
        return Stage(key, StageState(told.state), told.at, detail=told.detail)
    if key.value in facts.tracked and key in _TOLD:
        if facts.runs_since is not None and facts.runs_tag != facts.tag:
            return Stage(key, StageState.SKIPPED, detail=f"went out with {facts.runs_tag}")
        return Stage(key, StageState.TODO)
    if key in _TOLD:
        return Stage(key, StageState.SKIPPED, detail=NOT_TRACKED)
    return _OBSERVED[key](facts)


def _triage(facts: HotfixFacts) -> Stage:
    if facts.track:
        detail = "hotfix" if facts.track == "hotfix" else "next regular release"
        return Stage(StageKey.TRIAGE, StageState.DONE, facts.triaged_at, detail=detail)
    if _shipped(facts):
        return Stage(StageKey.TRIAGE, StageState.SKIPPED, detail="went out without triage")
    return Stage(StageKey.TRIAGE, StageState.WAITING, detail="three questions")


def _branch(facts: HotfixFacts) -> Stage:
    key = StageKey.BRANCH
    if not facts.branch:
        if facts.commits or _shipped(facts):
            return Stage(key, StageState.SKIPPED, detail="no branch of its own")
        return Stage(key, StageState.WAITING if facts.track == "hotfix" else StageState.TODO)
    if not facts.branch_here and not facts.commits and not _shipped(facts):
        return Stage(key, StageState.FAILED, facts.branch_at, detail="deleted before anything was on it")
    detail = f"from {facts.base}" if facts.base else "not cut from a release"
    if facts.strays and not _shipped(facts):
        commits = "1 other commit" if facts.strays == 1 else f"{facts.strays:,} other commits"
        return Stage(key, StageState.FAILED, facts.branch_at, detail=f"would ship {commits}")
    return Stage(key, StageState.DONE, facts.branch_at, detail=detail)


def _fix(facts: HotfixFacts) -> Stage:
    key = StageKey.FIX
    if not facts.commits:
        if _shipped(facts):
            return Stage(key, StageState.DONE, facts.tagged_at or facts.live_since)
        return Stage(key, StageState.WAITING if facts.branch_here else StageState.TODO)
    if facts.branch and not facts.branch_here and not _shipped(facts):
        return Stage(key, StageState.FAILED, facts.fixed_at, detail="branch deleted before it went out")
    commits = "1 commit" if facts.commits == 1 else f"{facts.commits:,} commits"
    detail = f"{commits}, not minimal" if facts.faults else commits
    return Stage(key, StageState.DONE, facts.fixed_at, detail=detail)


def _review(facts: HotfixFacts) -> Stage:
    key = StageKey.REVIEW
    if facts.objections:
        return Stage(key, StageState.FAILED, detail=f"changes asked by {_names(facts.objections)}")
    if len(facts.approved_by) >= facts.needed and facts.needed:
        return Stage(key, StageState.DONE, facts.approved_at, detail=f"by {_names(facts.approved_by)}")
    if not facts.needed:
        return Stage(key, StageState.SKIPPED, detail="not required")
    if _shipped(facts):
        some = f"{len(facts.approved_by)} of {facts.needed} reviews" if facts.approved_by else "a review"
        return Stage(key, StageState.SKIPPED, detail=f"went out {'with' if facts.approved_by else 'without'} {some}")
    if not facts.commits:
        return Stage(key, StageState.TODO)
    detail = f"{len(facts.approved_by)} of {facts.needed}"
    if facts.void and not facts.approved_by:
        detail = "the branch moved since"
    return Stage(key, StageState.WAITING, detail=detail)


def _tag(facts: HotfixFacts) -> Stage:
    key = StageKey.TAG
    if facts.tag:
        return Stage(key, StageState.DONE, facts.tagged_at, detail=facts.tag)
    if facts.live_since is not None:
        return Stage(key, StageState.WAITING, detail="in production without a tag")
    return Stage(key, StageState.WAITING if _reviewed(facts) else StageState.TODO)


def _production(facts: HotfixFacts) -> Stage:
    """Whether production has it: the one answer that every step, page and button goes by.

    Where a pipeline tells, what its environments run counts, and being on production's branch is not enough.
    """
    key, told = StageKey.PRODUCTION, facts.told.get(StageKey.PRODUCTION.value)
    if facts.runs_since is not None:
        if told is not None and told.state == StageState.DONE:
            return Stage(key, StageState.DONE, told.at, detail=told.detail)
        return Stage(key, StageState.DONE, facts.runs_since, detail=f"with {facts.runs_tag}")
    if told is not None:
        if told.state == StageState.DONE and facts.runs_instead:
            return Stage(key, StageState.FAILED, told.at, detail=f"{facts.runs_instead} runs there without it")
        return Stage(key, StageState(told.state), told.at, detail=told.detail)
    if key.value in facts.tracked:
        return Stage(key, StageState.TODO)
    if facts.live_since is not None:
        return Stage(key, StageState.DONE, facts.live_since)
    return Stage(key, StageState.WAITING if facts.tag else StageState.TODO)


def _merge_back(facts: HotfixFacts) -> Stage:
    key = StageKey.MERGE_BACK
    undone = sum(debt.settled_at is None for debt in facts.debts)
    if facts.live_since is None and not undone:
        return Stage(key, StageState.TODO)
    behind = [target for target in facts.targets if target.owed]
    if behind or undone:
        return Stage(key, StageState.OWED, detail=_owed_detail([target.branch for target in behind], undone))
    if any(not target.verdict for target in facts.targets):
        return Stage(key, StageState.RUNNING, detail="being judged")
    if not facts.targets and not facts.debts:
        return Stage(key, StageState.SKIPPED, detail="no other branch needs it")
    times = [target.at for target in facts.targets if target.at is not None]
    times += [debt.settled_at for debt in facts.debts if debt.settled_at is not None]
    at = max([*times, facts.live_since or 0], default=None)
    return Stage(key, StageState.DONE, at, detail="everywhere" if len(facts.targets) > 1 else "")


def _owed_detail(branches: Sequence[str], undone: int) -> str:
    parts = []
    if branches:
        parts.append(f"owed to {branches[0]}" if len(branches) == 1 else f"owed to {len(branches)} branches")
    if undone:
        parts.append("re-apply owed")
    return ", ".join(parts)


def _clean_up(facts: HotfixFacts) -> Stage:
    key = StageKey.CLEAN_UP
    if not facts.branch:
        return Stage(key, StageState.SKIPPED if _shipped(facts) else StageState.TODO)
    if not _shipped(facts):
        return Stage(key, StageState.TODO)
    if not facts.branch_here:
        return Stage(key, StageState.DONE, facts.branch_gone_at, detail="branch deleted")
    ready = _merge_back(facts).state in _OVER and _production(facts).state is StageState.DONE
    return Stage(key, StageState.WAITING if ready else StageState.TODO)


_OBSERVED = {
    StageKey.TRIAGE: _triage,
    StageKey.BRANCH: _branch,
    StageKey.FIX: _fix,
    StageKey.REVIEW: _review,
    StageKey.TAG: _tag,
    StageKey.MERGE_BACK: _merge_back,
    StageKey.CLEAN_UP: _clean_up,
}


def _shipped(facts: HotfixFacts) -> bool:
    """It went out: tagged, or in production."""
    return bool(facts.tag) or facts.live_since is not None


def _reviewed(facts: HotfixFacts) -> bool:
    return bool(facts.commits) and _review(facts).state in _OVER


def _names(names: Sequence[str]) -> str:
    shown = ", ".join(names[:2])
    return shown + (f" and {len(names) - 2} more" if len(names) > 2 else "")


def _ended(stage: Stage, closed: str) -> Stage:
    """Of a closed hotfix nothing waits any more; what was reached stays, and so does what is owed."""
    if stage.state in (StageState.DONE, StageState.SKIPPED, StageState.OWED):
        return stage
    return replace(stage, state=StageState.SKIPPED, detail=closed)


def _timed(found: Sequence[Stage], opened_at: float) -> list[Stage]:
    """With how long each took: since the latest stage reached before it, else since the ticket was opened."""
    timed, before = [], opened_at
    for stage in found:
        if stage.at is None or stage.state is not StageState.DONE:
            timed.append(stage)
            continue
        timed.append(replace(stage, took=max(0.0, stage.at - before)))
        before = max(before, stage.at)
    return timed
