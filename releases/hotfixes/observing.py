"""Looking where every hotfix stands: after each fetch, and whenever a person did something.

Git and rows are read first, outside of any transaction; then each ticket is written in one of its own, with one ledger
row for every stage that changed. Of two observers the one that began to look later wins.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from releases import live
from releases.ledger.models import Event
from releases.ledger.services import events_write
from releases.projects.history import reading
from releases.projects.models import Project

from .debts import debts_observe
from .gathering import facts_of
from .ground import Ground, people_behind, told_by_ledger, watched
from .models import Hotfix
from .sight import SECONDS, WAITING, Sight
from .stages import Stage, StageKey, StageState, current, finished, stages
from .strays import untracked_record
from .tying import Tie, tie

log = logging.getLogger(__name__)

_NEWS = frozenset({StageState.DONE, StageState.OWED, StageState.FAILED})
"""States that the ledger tells when they are reached or left; waiting and the like follow from them."""


def hotfixes_observe(project: Project, *, only: Sequence[int] = ()) -> int:
    """Bring every ticket of the project (or `only` these) in line with the facts; returns how many changed.

    Never raises for what git cannot answer: what was known before stays.
    """
    began = timezone.now()
    project = Project.objects.select_related("production_release").get(pk=project.pk)
    hotfixes = watched(project, only)
    ground = Ground.of(project)
    changed = 0
    with reading(project, WAITING if only else SECONDS) as history:
        sight = Sight(project, history)
        if not only:
            changed += untracked_record(ground, sight)
        if hotfixes:
            debts_observe(project, hotfixes, ground, sight)
            told, people = told_by_ledger(project, hotfixes), people_behind(hotfixes)
            same = []
            for hotfix in hotfixes:
                found = tie(hotfix, ground, sight)
                if found.branch and found.branch not in ground.taken:
                    ground.taken.add(found.branch)
                facts = facts_of(hotfix, found, ground, told, people)
                reached = stages(facts)
                if _stands(hotfix, found, reached, facts.owed):
                    same.append(hotfix.pk)
                else:
                    changed += _recorded(hotfix, found, reached, facts.owed, began)
            Hotfix.objects.filter(pk__in=same, observed_at__lt=began).update(observed_at=began)
    if changed:
        live.publish(live.project_topic(project.pk), live.OVERVIEW)
    return changed


_TIED = ("branch", "head", "head_at", "base_tag", "base_commit", "commits", "change", "tag")
"""What a Tie and a row have in common."""


def _stands(hotfix: Hotfix, found: Tie, reached: list[Stage], owed: int) -> bool:
    """Whether the row, as it was read when this look began, says all of this already."""
    return (
        all(getattr(hotfix, name) == getattr(found, name) for name in _TIED)
        and hotfix.stages == [stage.as_data() for stage in reached]
        and hotfix.owed_count == owed
        and {fix.pk for fix in hotfix.fixes.all()} == {fix.pk for fix in found.fixes}
        and (hotfix.finished_at is not None) is finished(reached)
    )


_FIELDS = (
    "branch", "head", "head_at", "base_tag", "base_commit", "commits", "change", "tag", "stages", "stage", "owed_count",
)  # fmt: skip


def _recorded(hotfix: Hotfix, found: Tie, reached: list[Stage], owed: int, began: datetime) -> bool:
    """Write one ticket; False when somebody gave its branch to another one at this moment. The next look settles it."""
    try:
        return _record(hotfix, found, reached, owed, began)
    except IntegrityError:
        log.warning("%s: the branch %s was given to another ticket meanwhile", hotfix.key, found.branch)
        return False


def _record(hotfix: Hotfix, found: Tie, reached: list[Stage], owed: int, began: datetime) -> bool:
    """Write one ticket and what changed about it, unless somebody who looked later did so already."""
    with transaction.atomic():
        row = Hotfix.objects.select_for_update(of=("self",)).filter(pk=hotfix.pk).first()
        if row is None or (row.observed_at is not None and row.observed_at > began):
            return False
        before = {name: getattr(row, name) for name in _FIELDS}
        old = {stage["key"]: Stage.from_data(stage) for stage in row.stages}
        for name in _TIED:
            setattr(row, name, getattr(found, name))
        row.stages = [stage.as_data() for stage in reached]
        row.stage, row.owed_count = current(reached).value, owed
        over = finished(reached)
        row.finished_at = (row.finished_at or began) if over else None
        row.observed_at = began
        changed = any(getattr(row, name) != value for name, value in before.items())
        row.save(update_fields=[*_FIELDS, "finished_at", "observed_at"])
        tied = {fix.pk for fix in found.fixes}
        if tied != set(row.fixes.values_list("pk", flat=True)):
            row.fixes.set(tied)
            changed = True
        events_write(_events(row, before, old, reached, began))
    return changed


def _events(
    row: Hotfix, before: dict[str, Any], old: dict[str, Stage], reached: Sequence[Stage], at: datetime
) -> list[Event]:
    events = []
    if before["head"] and row.head != before["head"]:
        events.append(_pushed(row, before))
    for stage in reached:
        was = old.get(stage.key)
        state = was.state if was else StageState.TODO
        if stage.key is StageKey.TRIAGE or stage.state is state or not {stage.state, state} & _NEWS:
            continue
        said = f"{stage.key.label}: {_WORDS[stage.state]}" + (f", {stage.detail}." if stage.detail else ".")
        evidence = {"at": stage.at, "head": row.head, "tag": row.tag, "branch": row.branch}
        news = _event(row, "hotfix.stage", said, state.value, stage.state.value, stage.key.value, evidence)
        news.actor_name = _behind(stage)
        events.append(news)
    for event in events:
        event.at = at
    return events


_TOLD = (StageKey.TESTS, StageKey.BUILD, StageKey.STAGING, StageKey.APPROVAL, StageKey.VERIFY)
"""Stages that git knows nothing of: what runs pipelines tells of them."""


def _behind(stage: Stage) -> str:
    """Who or what brought it there: people for what people say, as its line names them."""
    named = stage.detail.partition("by ")[2]
    if stage.state is StageState.DONE and stage.key in (StageKey.REVIEW, StageKey.APPROVAL) and named:
        return named[:150]
    return "worker" if stage.key in _TOLD else "git"


def _pushed(row: Hotfix, before: dict[str, Any]) -> Event:
    here = {commit["sha"] for commit in row.commits}
    lost = [commit["sha"] for commit in before["commits"] if commit["sha"] not in here]
    known = {commit["sha"] for commit in before["commits"]}
    came = sum(commit["sha"] not in known for commit in row.commits)
    commits = "1 commit" if came == 1 else f"{came:,} commits"
    said = f"{row.branch} was rewritten: {commits} new, {len(lost):,} gone." if lost else f"{commits} came to the fix."
    evidence = {"came": [sha for sha in here if sha not in known][:20], "gone": lost[:20]}
    return _event(row, "hotfix.pushed", said, before["head"], row.head, "", evidence)


def _event(
    row: Hotfix, kind: str, why: str, old: str, new: str, target: str, evidence: dict[str, Any]
) -> Event:  # fmt: skip
    return Event(
        project_id=row.project_id, kind=kind, actor_name="git", subject=f"hotfix:{row.key}", target=target, old=old,
        new=new, why=why, evidence=evidence,
    )  # fmt: skip


_WORDS = {
    StageState.TODO: "not reached any more",
    StageState.WAITING: "open again",
    StageState.RUNNING: "running",
    StageState.DONE: "done",
    StageState.OWED: "owed",
    StageState.FAILED: "needs a look",
    StageState.SKIPPED: "not needed",
}
