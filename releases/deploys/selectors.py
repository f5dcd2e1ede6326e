"""What is read of runs: by pages and commands, and by those who ask for the next one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from django.db.models import Q, QuerySet

from releases.projects.models import Project, Release

from .models import BadRelease, Environment, Pipeline, Run, Step
from .models.runs import HOLDING, WAITING
from .spec import PipelineSpec, StepKind

ACTIVE = (*WAITING, *HOLDING)
"""States of a run that is not over and not watched."""
RELATED = ("project", "environment", "release", "pipeline", "build", "asked_by", "abort_by", "glass_by", "replaces")
_SAMPLE = 10
"""So many past runs make an estimate."""


# --- releases -----------------------------------------------------------------------------------------------------


def good_build(release: Release, pipeline: Pipeline, lane: str) -> Run | None:
    """The newest good build of this very commit that did all that the pipeline asks of the lane now."""
    wanted = [step.as_data() for step in PipelineSpec.from_data(pipeline.spec).build_steps(lane)]
    done = Run.objects.filter(
        project=release.project_id, tag=release.tag, commit=release.commit, kind=Run.Kind.BUILD, state=Run.State.DONE,
        artifact_gone_at=None,
    )  # fmt: skip
    for build in done.select_related("pipeline", "project").prefetch_related("steps").order_by("-pk"):
        did = [step.spec for step in build.steps.all() if step.state == Step.State.DONE]
        if all(step in did for step in wanted):
            return build
    return None


# --- environments -------------------------------------------------------------------------------------------------


def lane_environments(project: Project, lane: str, spec: PipelineSpec | None = None) -> list[Environment]:
    """The environments that a release of this lane goes through, in order; with `spec`, those that it deploys to."""
    rows = Environment.objects.filter(project=project, retired_at=None)
    skipped = Environment.Hotfixes.SKIP if lane == Run.Lane.HOTFIX else Environment.Hotfixes.ONLY
    found = list(rows.exclude(hotfixes=skipped).order_by("order", "pk"))
    if spec is None:
        return found
    return [
        row for row in found if any(step.kind is StepKind.DEPLOY for step in spec.environment_steps(lane, row.name))
    ]


@dataclass(frozen=True, slots=True)
class Passed:
    """Which of the environments before this one a release has run in, and run well."""

    done: list[Environment] = field(default_factory=list)
    missing: list[Environment] = field(default_factory=list)
    rebuilt: bool = False
    """It ran in what is missing, with another artifact."""

    def lacks(self, name: str) -> str:
        """What is missing as a sentence about the release called so; empty when nothing is."""
        if not self.missing:
            return ""
        how = " with the artifact that would ship" if self.rebuilt else ""
        return f"{name} has not passed {' and '.join(row.name for row in self.missing)}{how}."


def passed(environment: Environment, release: Release, spec: PipelineSpec, lane: str, digest: str = "") -> Passed:
    """How far a release came on its way to this environment; with `digest`, exactly that artifact of it."""
    before = [
        row
        for row in lane_environments(environment.project, lane, spec)
        if (row.order, row.pk) < (environment.order, environment.pk) and row.kind != environment.kind
    ]
    ran = Run.objects.filter(
        environment__in=before, tag=release.tag, commit=release.commit, state=Run.State.DONE, kind=Run.Kind.DEPLOY
    )
    rows = list(ran.values_list("environment_id", "digest"))
    there = {pk for pk, artifact in rows if not digest or artifact == digest}
    missing = [row for row in before if row.pk not in there]
    known = {pk for pk, _artifact in rows}
    return Passed([row for row in before if row.pk in there], missing, any(row.pk in known for row in missing))


def touched_last(environment: Environment) -> Run | None:
    """The run that last began to change this environment, however it ended; a rollback counts once it is live."""
    begun = Step.objects.filter(run__environment=environment, kind=StepKind.DEPLOY, attempts__gt=0)
    changed = Q(live_at__isnull=False) | Q(kind=Run.Kind.DEPLOY, pk__in=begun.values("run"))
    runs = Run.objects.filter(changed, environment=environment)
    return runs.select_related(*RELATED).order_by("-started_at", "-pk").first()


def rollback_under_way(environment: Environment) -> Run | None:
    """A rollback that waits or is carried out there; one whose worker was lost counts no more."""
    states = (Run.State.QUEUED, Run.State.RUNNING, Run.State.PAUSED)
    mine = Run.objects.filter(environment=environment, kind=Run.Kind.ROLLBACK, state__in=states)
    return mine.select_related(*RELATED).order_by("-pk").first()


def rollback_target(environment: Environment, bad: Run | None) -> Run | None:
    """The run whose release is brought back when `bad` is taken back: the last verified one of another release."""
    good = rollback_targets(environment, bad).filter(state=Run.State.DONE)
    return good.filter(verified_at__isnull=False).first() or good.first()


def rollback_targets(environment: Environment, bad: Run | None) -> QuerySet[Run]:
    """What may be brought back when `bad` is taken back, the newest first.

    It was live there, is of another release, and was not taken back itself.
    """
    taken_back = BadRelease.objects.filter(project=environment.project_id, lifted_at=None).values("tag")
    ran = Run.objects.filter(environment=environment, live_at__isnull=False).exclude(tag__in=taken_back)
    if bad is not None:
        ran = ran.exclude(tag=bad.tag)
    return ran.select_related(*RELATED).order_by("-live_at", "-pk")


# --- runs ---------------------------------------------------------------------------------------------------------


def runs_seen(user: Any) -> QuerySet[Run]:
    """Every run that this person may see, newest first."""
    return Run.objects.filter(project__in=Project.objects.seen_by(user)).select_related(*RELATED)


def runs_of(
    user: Any, *, project: Project | None = None, environment: str = "", tag: str = "", kind: str = "",
    states: Iterable[str] = (), lane: str = "", asked_by: str = "",
) -> QuerySet[Run]:  # fmt: skip
    """The history, filtered; newest first. Whoever names a `project` has made sure that the person may see it."""
    # Who asks for one project by its name may be in a drill; whoever lists all of them is not.
    found = runs_seen(user) if project is None else Run.objects.filter(project=project).select_related(*RELATED)
    if environment:
        found = found.filter(environment__name=environment)
    if tag:
        found = found.filter(tag__icontains=tag)
    if kind:
        found = found.filter(kind=kind)
    if chosen := list(states):
        found = found.filter(state__in=chosen)
    if lane:
        found = found.filter(lane=lane)
    return found.filter(asked_by__username=asked_by) if asked_by else found


@dataclass(frozen=True, slots=True)
class RunPage:
    """A run with what its page shows beside it."""

    run: Run
    steps: list[Step]
    estimate: float | None
    """Seconds that the whole run takes, from past ones."""
    goes_on: bool
    """It was answered, and goes on as soon as a worker is free."""
    can_retry: bool
    earlier: list[Run]
    """Other runs of the same release in the same place, newest first."""


def run_page(run: Run) -> RunPage:
    """Everything that the page of one run needs, in a fixed number of queries."""
    steps = list(run.steps.select_related("by").order_by("index"))
    waits = any(step.state == Step.State.WAITING for step in steps)
    same = Run.objects.filter(project=run.project_id, tag=run.tag, environment=run.environment_id)
    earlier = list(same.exclude(pk=run.pk).select_related(*RELATED)[:_SAMPLE])
    goes_on = run.state == Run.State.PAUSED and not waits
    retry = run.state in (Run.State.FAILED, Run.State.ABORTED, Run.State.LOST) and not overtaken(run)
    return RunPage(run, steps, estimate(run), goes_on, retry, earlier)


def overtaken(run: Run) -> bool:
    """Whether something else was begun in its environment since (of a build: the same tag was built since)."""
    since = Run.objects.filter(started_at__isnull=False, pk__gt=run.pk)
    if run.environment_id:
        later = Q(environment=run.environment_id, started_at__gt=run.started_at) if run.started_at else Q(pk=None)
        return Run.objects.filter(later).exclude(pk=run.pk).exists()
    return since.filter(project=run.project_id, tag=run.tag, kind=Run.Kind.BUILD).exists()


def estimate(run: Run) -> float | None:
    """Seconds that a run like this takes, from its begin to its last step: the median of the last that went well."""
    like = Run.objects.filter(
        project=run.project_id, environment=run.environment_id, kind=run.kind, lane=run.lane,
        state__in=(Run.State.DONE, Run.State.WATCHING), started_at__isnull=False, finished_at__isnull=False,
    )  # fmt: skip
    spans = like.exclude(pk=run.pk).order_by("-pk").values_list("started_at", "finished_at")[:_SAMPLE]
    took = [(end - begin).total_seconds() for begin, end in spans if begin and end]
    return float(median(took)) if took else None


@dataclass(frozen=True, slots=True)
class Place:
    """One environment on the board."""

    environment: Environment
    live: Run | None
    active: Run | None
    """What holds it now, or is being watched."""
    queue: list[Run]
    """What waits for it, in order."""
    asked: list[Run]
    """What waits for approval."""


def board(user: Any, project: Project | None = None) -> dict[Project, list[Place]]:
    """Where what runs: by project, its environments in order; in five queries. `project` is one they may see."""
    from .gates import queue_key

    projects = [project] if project is not None else Project.objects.seen_by(user)
    rows = Environment.objects.filter(project__in=projects, retired_at=None)
    rows = rows.select_related("project", "live", "live__asked_by", "locked_by").prefetch_related("freezes")
    places = list(rows.order_by("project__name", "order", "pk"))
    states = (*ACTIVE, Run.State.WATCHING)
    runs: dict[int, list[Run]] = {}
    for run in Run.objects.filter(environment__in=places, state__in=states).select_related(*RELATED).order_by("pk"):
        runs.setdefault(run.environment_id or 0, []).append(run)
    found: dict[Project, list[Place]] = {}
    for row in places:
        mine = runs.get(row.pk, [])
        held = [run for run in mine if run.state in HOLDING] or [r for r in mine if r.state == Run.State.WATCHING]
        queue = sorted((run for run in mine if run.state == Run.State.QUEUED), key=queue_key)
        asked = [run for run in mine if run.state == Run.State.ASKED]
        found.setdefault(row.project, []).append(Place(row, row.live, held[-1] if held else None, queue, asked))
    return found
