"""What happened in a drill so far, from facts alone: the running drill's checklist, its score's ground."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from releases.deploys.models import Run
from releases.hotfixes.models import Hotfix
from releases.hotfixes.stages import Stage, StageKey, StageState
from releases.policies.flow import FlowPolicy
from releases.projects.history import reading

from .models import Drill

_TEST = re.compile(r"(^|[/_.-])(tests?|specs?|__tests__)([/_.-]|$)", re.IGNORECASE)
_STAGES = {
    StageKey.TRIAGE: "Ticket opened, triage answered",
    StageKey.BRANCH: "Branch cut from the release in production",
    StageKey.FIX: "Fix written",
    StageKey.REVIEW: "Reviewed by somebody else",
    StageKey.TAG: "Merged and tagged",
    StageKey.STAGING: "On staging",
    StageKey.APPROVAL: "Approved by a second person",
    StageKey.PRODUCTION: "Live in production",
    StageKey.VERIFY: "Verified in production",
    StageKey.MERGE_BACK: "In every branch that needs it",
    StageKey.CLEAN_UP: "Branch removed",
}
TIMED = {"branch": "To the branch", "tag": "To the tag", "production": "To production", "verify": "To verified",
         "merge-back": "To merged back"}  # fmt: skip
"""Steps whose time since the beginning is compared."""


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the checklist."""

    key: str
    label: str
    done: bool
    at: datetime | None = None
    """When; None while it is not done, or when nobody knows."""
    detail: str = ""
    needed: bool = True
    """Counts in the score; what this project does not have does not."""
    now: bool = False
    """What is to be done next."""


@dataclass(slots=True)
class Observed:
    """A drill as its facts tell it."""

    steps: list[Step] = field(default_factory=list)
    hotfix: Hotfix | None = None
    waits: Run | None = None
    """A deployment that waits for somebody's approval."""
    failed: Run | None = None
    """A deployment that failed, and after which nothing was begun in its environment."""

    @property
    def over(self) -> bool:
        """Whether everything that counts is done, notes aside."""
        return all(step.done for step in self.steps if step.needed and step.key != "notes")


def observed(drill: Drill, now: datetime) -> Observed:
    """The facts of this moment; of a drill whose copy is gone none. A constant number of queries."""
    if drill.copy_id is None:
        return Observed()
    hotfix = _hotfix(drill)
    runs = Run.objects.filter(project=drill.copy_id, started_at__gte=drill.started_at or now).exclude(
        kind=Run.Kind.BUILD
    )
    steps = _stages(drill, hotfix)
    steps.insert(_after(steps, StageKey.FIX), _test(drill, hotfix))
    steps += [_told(drill), Step("notes", "Notes of what was noticed", bool(drill.notes.strip()))]
    waits = Run.objects.filter(project=drill.copy_id, state=Run.State.ASKED).select_related("environment").first()
    return Observed(_next(steps), hotfix, waits, _failed(list(runs.select_related("environment").order_by("pk"))))


def _hotfix(drill: Drill) -> Hotfix | None:
    """The ticket that came furthest; the first of those that came as far."""
    rows = Hotfix.objects.filter(project=drill.copy_id, created_at__gte=drill.started_at or drill.asked_at)
    return max(
        rows.exclude(closed__in=(Hotfix.Closed.DECLINED, Hotfix.Closed.ABANDONED)).order_by("-pk"),
        key=lambda row: sum(stage["state"] == StageState.DONE for stage in row.stages),
        default=None,
    )


def _stages(drill: Drill, hotfix: Hotfix | None) -> list[Step]:
    known = {stage.key: stage for stage in map(Stage.from_data, hotfix.stages)} if hotfix else {}
    reviewers = FlowPolicy.from_data(drill.project.policy).reviewers
    found = []
    for key, label in _STAGES.items():
        stage = known.get(key)
        done = stage is not None and stage.state is StageState.DONE
        skipped = stage is not None and stage.state is StageState.SKIPPED
        needed = not skipped or key in (StageKey.TRIAGE, StageKey.BRANCH)
        if key is StageKey.REVIEW:
            needed = reviewers > 0
        at = _moment(drill, stage) if done else None
        found.append(Step(key.value, label, done, at, stage.detail if stage else "", needed))
    return found


def _moment(drill: Drill, stage: Stage | None) -> datetime | None:
    """When it was reached; None when git dates it before the beginning: a commit keeps the date of its original."""
    if stage is None or stage.at is None:
        return None
    at = datetime.fromtimestamp(stage.at, UTC)
    return at if drill.started_at is None or at >= drill.started_at.replace(microsecond=0) else None


def _after(steps: Sequence[Step], key: StageKey) -> int:
    return next(number for number, step in enumerate(steps, 1) if step.key == key)


def _test(drill: Drill, hotfix: Hotfix | None) -> Step:
    """Whether the fix came with a test, as far as the names of its files tell."""
    names: Sequence[str] = ()
    if drill.copy is not None and hotfix is not None and hotfix.commits and hotfix.base_commit:
        with reading(drill.copy) as history:
            names = history.all_paths(hotfix.base_commit, str(hotfix.commits[-1]["sha"])) or ()
    tests = [name for name in names if _TEST.search(name)]
    return Step("test", "A test that would have shown it", bool(tests), detail=tests[0] if tests else "")


def _told(drill: Drill) -> Step:
    resolved = [row.resolved_at for row in drill.incidents.all() if row.resolved_at and not row.is_open]
    return Step("incident", "Incident resolved", bool(resolved), min(resolved, default=None))


def _failed(runs: Sequence[Run]) -> Run | None:
    last = {run.environment_id: run for run in runs}
    return next((run for run in last.values() if run.state == Run.State.FAILED), None)


def _next(steps: Sequence[Step]) -> list[Step]:
    first = next((step.key for step in steps if step.needed and not step.done), "")
    return [replace(step, now=step.key == first) for step in steps]
