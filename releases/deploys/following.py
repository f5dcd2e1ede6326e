"""What a run tells the others: its own rows in the ledger, the stages of a release, open pages, and tickets.

Ledger kinds: `run.*` with the subject `run:<number>`, each in the transaction that makes it true, and `stage.*` with
the subject `release:<tag>`, whose `new` is a StageState. A stage is told only when it changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

from django.db.models import Exists, F, OuterRef, Q, Value
from django.db.models.functions import Concat
from django.utils import timezone

from releases import live
from releases.hotfixes.models import Hotfix
from releases.hotfixes.observing import hotfixes_observe
from releases.hotfixes.stages import StageKey, StageState
from releases.ledger.models import Event
from releases.ledger.services import event_write
from releases.projects.in_production import Running
from releases.projects.models import Project

from .models import Environment, Run, Step
from .spec import PipelineSpec, StepKind

State = Run.State
Told = tuple[StageKey, StageState, str]
"""A stage of a hotfix, its state, and the line below it."""

_PROVING = (StepKind.CHECK, StepKind.PROVE, StepKind.MANUAL)
_NOT_TAKEN = (State.REJECTED, State.VOID, State.EXPIRED, State.CANCELLED)
LOOKED_BACK = timedelta(days=2)
"""Tickets that nobody brought in line with the ledger for so long will be by the next fetch."""

_WORKING = (Run.State.RUNNING, Run.State.WATCHING, Run.State.DONE)
"""States in which a run waits for nobody."""


def tell(
    run: Run, kind: str, why: str, *, actor: Any = None, by: str = "", old: str = "", new: str = "",
    evidence: dict[str, Any] | None = None, key: str | None = None,
) -> None:  # fmt: skip
    """One row about a run; call it in the transaction that makes it true, and `follow` after it."""
    facts = {"kind": run.kind, "lane": run.lane, "tag": run.tag, "commit": run.commit, "digest": run.digest}
    event_write(
        kind,
        project_id=run.project_id,
        actor=actor,
        actor_name=by or (actor.get_username() if actor else "operator"),
        subject=f"run:{run.pk}",
        target=run.environment.name if run.environment else "",
        old=old,
        new=new or run.state,
        why=why,
        evidence=facts | (evidence or {}),
        key=key,
    )


def follow(run: Run) -> None:
    """Tell the stages that this run is about, where they changed, and the open pages; in the same transaction."""
    for key, state, detail in stages_of(run):
        stage_tell(run, run.tag, key, state, detail)
    if run.kind == Run.Kind.ROLLBACK and run.live_at and run.replaces and run.environment:
        taken_back = run.replaces.tag
        for key in _touched(run.environment):
            stage_tell(run, taken_back, key, StageState.FAILED, f"rolled back to {run.tag}")
    publish(run)


def publish(run: Run) -> None:
    """Move the pages that show this run on, when the transaction commits."""
    topics = [live.project_topic(run.project_id), live.run_topic(run.pk), live.OVERVIEW]
    # What only a worker moves on is no news for the bell on everybody's pages.
    live.publish(*topics, *([] if run.state in _WORKING and run.glass_by_id is None else [live.WAITING]))


def stage_tell(run: Run, tag: str, key: StageKey, state: StageState, detail: str) -> None:
    """Write the stage of this release down, unless the ledger says so already."""
    rows = Event.objects.filter(project=run.project_id, subject=f"release:{tag}"[:300], kind=f"stage.{key}")
    last = rows.order_by("-at", "-pk").values_list("new", "why").first()
    if last == (state.value, detail) or (last is None and state is StageState.TODO):
        return
    event_write(
        f"stage.{key}", project_id=run.project_id, actor_name="worker", subject=f"release:{tag}",
        target=run.environment.name if run.environment else "", old=last[0] if last else "", new=state.value,
        why=detail, evidence={"run": run.pk},
    )  # fmt: skip


# --- stages -------------------------------------------------------------------------------------------------------


def stages_of(run: Run) -> list[Told]:
    """What this run says of its release's stages now. A rollback says nothing of what it brings back."""
    if run.kind == Run.Kind.ROLLBACK:
        return []
    if run.environment is None:
        return _build_stages(run)
    if run.environment.is_production:
        return _production_stages(run)
    return [(StageKey.STAGING, *_deployment(run))]


def _touched(environment: Environment) -> tuple[StageKey, ...]:
    return (StageKey.PRODUCTION, StageKey.VERIFY) if environment.is_production else (StageKey.STAGING,)


def _build_stages(run: Run) -> list[Told]:
    steps = list(run.steps.all())
    proving = [step for step in steps if step.kind in _PROVING]
    building = [step for step in steps if step.kind == StepKind.BUILD]
    parts = ((StageKey.TESTS, proving), (StageKey.BUILD, building))
    return [(key, *_together(run, part)) for key, part in parts if part]


def _together(run: Run, steps: Sequence[Step]) -> tuple[StageState, str]:
    """One state for several steps of a build."""
    states = {step.state for step in steps}
    bad = next((step for step in steps if step.state == Step.State.FAILED), None)
    if bad is not None:
        return StageState.FAILED, bad.name
    if states <= {Step.State.DONE, Step.State.SKIPPED}:
        return StageState.DONE, ""
    if run.is_over:
        return StageState.FAILED, run.get_state_display().lower()
    waits = next((step for step in steps if step.state == Step.State.WAITING), None)
    if waits is not None:
        return StageState.WAITING, waits.name
    if states == {Step.State.TODO}:
        return StageState.TODO, ""
    return StageState.RUNNING, ""


def _deployment(run: Run) -> tuple[StageState, str]:
    """How a deployment stands as a whole."""
    name = run.environment.name if run.environment else ""
    if run.state == State.DONE:
        return StageState.DONE, name
    if run.state in (State.ASKED, State.QUEUED, State.PAUSED):
        return StageState.WAITING, f"{name}: {run.get_state_display().lower()}"
    if run.state in (State.RUNNING, State.WATCHING):
        return StageState.RUNNING, name
    return StageState.FAILED, f"{name}: {run.get_state_display().lower()}"


def _production_stages(run: Run) -> list[Told]:
    told: list[Told] = []
    if run.state == State.ASKED:
        return [(StageKey.APPROVAL, StageState.WAITING, f"for {run.environment.name if run.environment else ''}")]
    if run.state in _NOT_TAKEN:
        return [(StageKey.APPROVAL, StageState.FAILED, run.get_state_display().lower())]
    if run.approved_at or run.glass_by_id:
        told.append((StageKey.APPROVAL, StageState.DONE, _approvers(run)))
    if not run.live_at:
        return [*told, (StageKey.PRODUCTION, *_deployment(run))]
    told.append((StageKey.PRODUCTION, StageState.DONE, run.environment.name if run.environment else ""))
    if run.verified_at:
        told.append((StageKey.VERIFY, StageState.DONE, ""))
    elif run.state == State.DONE:
        told.append((StageKey.VERIFY, StageState.SKIPPED, run.error_text[:80] or "nothing was asked to look"))
    elif run.is_over or run.state == State.LOST:
        told.append((StageKey.VERIFY, StageState.FAILED, run.get_state_display().lower()))
    else:
        told.append((StageKey.VERIFY, StageState.RUNNING, ""))
    return told


def _approvers(run: Run) -> str:
    if run.glass_by is not None:
        return f"glass broken by {run.glass_by.get_username()}"
    given = run.approvals.filter(withdrawn_at=None, says="approve").select_related("person")
    names = [approval.person.get_username() for approval in given]
    more = f" and {len(names) - 2} more" if len(names) > 2 else ""
    return f"by {', '.join(names[:2])}{more}" if names else ""


def stages_told(spec: PipelineSpec, environments: Iterable[Environment]) -> list[str]:
    """The stages of a hotfix that this pipeline, with these environments, tells of; in their usual order."""
    steps = spec.build_steps("hotfix")
    reached = [e for e in environments if e.retired_at is None and e.hotfixes != Environment.Hotfixes.SKIP]
    reached = [e for e in reached if spec.environment_steps("hotfix", e.name)]
    live_ones = [e for e in reached if e.is_production]
    verifies = any(
        e.probe or any(s.kind is StepKind.VERIFY for s in spec.environment_steps("hotfix", e.name)) for e in live_ones
    )
    told = {
        StageKey.TESTS: any(step.kind in _PROVING for step in steps),
        StageKey.BUILD: any(step.kind is StepKind.BUILD for step in steps),
        StageKey.STAGING: len(reached) > len(live_ones),
        StageKey.APPROVAL: any(e.approvals for e in live_ones),
        StageKey.PRODUCTION: bool(live_ones),
        StageKey.VERIFY: verifies,
    }
    return [key.value for key, yes in told.items() if yes]


def stages_told_keep(project: Project) -> list[str]:
    """Bring `Project.stages_told` in line with the pipeline and environments; call it when either changed."""
    from .settings_services import pipeline_of

    pipeline = pipeline_of(project)
    environments = Environment.objects.filter(project=project)
    told = stages_told(PipelineSpec.from_data(pipeline.spec), environments) if pipeline else []
    Project.objects.filter(pk=project.pk).exclude(stages_told=told).update(stages_told=told)
    running_keep(project.pk)
    return told


def running_keep(project_pk: int) -> None:
    """Bring `Project.running` in line with the environments of production; call it when what runs there changed."""
    rows = Environment.objects.filter(
        project=project_pk, kind=Environment.Kind.PRODUCTION, retired_at=None, live__isnull=False
    )
    found = [
        Running(row.name, row.live.tag, row.live.commit, row.live_since or timezone.now()).as_data()
        for row in rows.select_related("live").order_by("order", "pk")
        if row.live is not None
    ]
    Project.objects.filter(pk=project_pk).exclude(running=found).update(running=found)


# --- tickets ------------------------------------------------------------------------------------------------------


def hotfixes_behind() -> dict[int, list[int]]:
    """By project, the tickets whose release has news in the ledger that they were not looked at with yet."""
    news = Event.objects.filter(
        project=OuterRef("project"), subject=Concat(Value("release:"), OuterRef("tag")), kind__startswith="stage.",
        at__gt=OuterRef("observed_at"),
    )  # fmt: skip
    recent = Event.objects.filter(kind__startswith="stage.", at__gt=timezone.now() - LOOKED_BACK)
    if not recent.exists():
        return {}
    behind: dict[int, list[int]] = {}
    # Another release may have brought it into production, or taken it out: that concerns every ticket with a tag.
    moved = Event.objects.filter(
        project=OuterRef("project"), kind=f"stage.{StageKey.PRODUCTION}", at__gt=OuterRef("observed_at")
    )
    unfinished = Hotfix.objects.exclude(tag="").filter(Q(Exists(news)) | Q(Exists(moved), finished_at=None))
    found = unfinished.filter(observed_at__gt=timezone.now() - LOOKED_BACK)
    for pk, project in found.values_list("pk", F("project_id")):
        behind.setdefault(project, []).append(pk)
    return behind


def hotfixes_follow() -> int:
    """Bring the tickets that are behind in line; returns how many changed. Outside of transactions: it reads git."""
    changed = 0
    for project_pk, pks in hotfixes_behind().items():
        changed += hotfixes_observe(Project.objects.get(pk=project_pk), only=pks)
    return changed
