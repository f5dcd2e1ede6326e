"""Asking for runs: a build of a release, a deployment to an environment, a rollback. Rows only; nothing is begun here.

Ledger kinds: run.queued, run.void; see approving.py for what waits for approval.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from releases.projects.models import Project, Release

from .approving import approvals_open
from .bad_releases import release_mark_bad
from .deciding import shown_keep_at_end
from .errors import DeployRefused
from .following import follow, tell
from .lanes import Lane, lane_of
from .models import BadRelease, Environment, Pipeline, Run, Step
from .models.runs import HOLDING, WAITING
from .selectors import ACTIVE, good_build, passed, rollback_target, rollback_under_way, touched_last
from .settings_services import pipeline_of
from .spec import PipelineSpec, StepKind, StepSpec

State = Run.State
HOTFIX_RANK = -1000
"""A hotfix stands before everything that nobody moved by hand."""
_DEPLOYING = (StepKind.DEPLOY, StepKind.ROLLBACK)


def build_request(
    project: Project, release: Release, *, lane: str = "", trigger: str, actor: Any = None,
    pipeline: Pipeline | None = None, again: bool = False, lane_why: str = "",
) -> tuple[Run, bool]:  # fmt: skip
    """Ask for a build of this release; gives the run and whether it was newly made. Raises `DeployRefused`.

    A release is built once: what stands, waiting, running or good, is given back. `again` makes a new one all the same,
    for an artifact that was lost. `lane_why` comes with a `lane` that was chosen already.
    """
    chosen = Lane(lane, lane_why) if lane and lane_why else lane_of(release, lane)
    lane = chosen.lane
    pipeline = pipeline or _pipeline(project)
    _here(release)
    while True:
        standing = Run.objects.filter(
            project=project, tag=release.tag, kind=Run.Kind.BUILD, state__in=ACTIVE
        ).select_related("project", "environment").first()  # fmt: skip
        if standing is not None and standing.commit == release.commit:
            return standing, False
        if standing is not None and not void(standing, f"{release.tag} names another commit now."):
            raise DeployRefused("building", f"What {release.tag} named before is still being built; abort that first.")
        good = None if again else good_build(release, pipeline, lane)
        if good is not None:
            return good, False
        steps = PipelineSpec.from_data(pipeline.spec).build_steps(lane)
        try:
            with transaction.atomic():
                fields = {"trigger": trigger, "asked_by": actor, "lane": lane, "lane_why": chosen.why[:500]}
                return _made(Run(kind=Run.Kind.BUILD, pipeline=pipeline, **fields), release, steps), True
        except IntegrityError:
            continue  # Somebody asked at the same moment; theirs stands now, unless it is over already.


def deploy_request(
    environment: Environment, release: Release, *, lane: str = "", trigger: str, actor: Any = None, why: str = ""
) -> tuple[Run, bool]:
    """Ask to bring a release to an environment; gives the run and whether it was newly made. Raises `DeployRefused`.

    A release without a good build is built first: the build is given, and goes to exactly this environment when it is
    done. `why` is needed for a release that was taken back, and to skip an environment that it must pass.
    """
    chosen = Lane(lane, "") if lane else lane_of(release)
    lane, pipeline = chosen.lane, _pipeline(environment.project)
    _here(release)
    build = good_build(release, pipeline, lane)
    if not chosen.why:
        # What was chosen for the build stays true for what follows from it, whatever git says by then.
        known = build.lane_why if build is not None and build.lane == lane else ""
        chosen = Lane(lane, known) if known else lane_of(release, lane)
    _may_go(environment, release, pipeline, lane, why.strip(), build.digest if build is not None else "")
    if build is None:
        return _build_first(environment, release, pipeline, chosen, trigger, actor, why.strip())
    while True:
        standing = Run.objects.filter(
            environment=environment, tag=release.tag, kind=Run.Kind.DEPLOY, state__in=(*WAITING, *HOLDING)
        ).select_related("project", "environment").first()  # fmt: skip
        if standing is not None:
            if standing.state not in WAITING or _same(standing, release, build, pipeline):
                return standing, False
            void(standing, "It was asked for anew, with other facts.")
        try:
            with transaction.atomic():
                return _deployment(environment, release, build, pipeline, chosen, trigger, actor, why.strip()), True
        except IntegrityError:
            continue


def rollback_request(
    environment: Environment, *, actor: Any, why: str, to: Run | None = None, trigger: str = "", anew: bool = False
) -> Run:
    """Ask to bring back what ran well before, ahead of the queue; marks what runs now as bad. Raises `DeployRefused`.

    `to`: an earlier run of this environment; without it, the last one that was verified. What is under way there and
    waits for a person is ended; what a worker does is asked to stop. One whose artifact is kept no longer is refused
    or, with `anew`, built first: that build is given, and the rollback follows from it when exactly the same comes out.
    """
    why = why.strip()
    if not why:
        raise DeployRefused("no-reason", "Say why it is taken back.")
    standing = rollback_under_way(environment)
    if standing is not None and (to is None or to.tag == standing.tag):
        return standing
    bad = touched_last(environment)
    target = to or rollback_target(environment, bad)
    if target is None:
        raise DeployRefused("nothing-before", f"Nothing that ran well in {environment.name} before is known.")
    if target.environment_id != environment.pk or not target.live_at:
        raise DeployRefused("nothing-before", f"{target.tag} has never run in {environment.name}.")
    _must_not_be_bad(target)
    if target.artifact_gone_at is not None:
        return _built_anew(environment, target, actor, why, trigger, anew=anew)
    pipeline = _pipeline(environment.project)
    lane = bad.lane if bad else target.lane
    steps = PipelineSpec.from_data(pipeline.spec).rollback_steps(lane, environment.name)
    if not any(step.kind in _DEPLOYING for step in steps):
        raise DeployRefused("no-steps", f"The pipeline has no step that deploys to {environment.name}.")
    while True:
        try:
            with transaction.atomic():
                return _rollback(environment, target, bad, pipeline, lane, steps, actor, why, trigger)
        except IntegrityError:
            standing = rollback_under_way(environment)  # Somebody pressed at the same moment.
            if standing is not None:
                return standing


def void(run: Run, why: str) -> bool:
    """End a run that waits, because what it was asked for with is true no more; False when it waits no more."""
    with transaction.atomic():
        waiting = Run.objects.filter(pk=run.pk, state__in=WAITING)
        if not waiting.update(state=State.VOID, error_code="void", error_text=why, finished_at=timezone.now()):
            return False
        old, run.state, run.error_text = run.state, State.VOID, why
        tell(run, "run.void", why, by="git", old=old)
        shown_keep_at_end(run.pk)
        follow(run)
    return True


# --- making them --------------------------------------------------------------------------------------------------


def _rollback(
    environment: Environment, target: Run, bad: Run | None, pipeline: Pipeline, lane: str, steps: Sequence[StepSpec],
    actor: Any, why: str, trigger: str = "",
) -> Run:  # fmt: skip
    from .acting import make_way

    run = Run(
        kind=Run.Kind.ROLLBACK, environment=environment, pipeline=pipeline, lane=lane, state=State.QUEUED,
        build=target.build, artifact=target.artifact, digest=target.digest,
        trigger=trigger or ("person" if actor else "verify"), asked_by=actor, why=why, rank=HOTFIX_RANK, replaces=bad,
        lane_why=f"It takes back {bad.tag}, which came by this lane." if bad else f"{target.tag} came by this lane.",
    )  # fmt: skip
    release = Release(tag=target.tag, tag_object=target.tag_object, commit=target.commit, project=environment.project)
    made = _made(run, release, steps, stands=target.release)
    if bad is not None and bad.tag != target.tag:
        release_mark_bad(bad.project, bad.tag, bad.commit, why, actor=actor, run=made)
    make_way(environment, made, actor)
    return made


def _built_anew(environment: Environment, target: Run, actor: Any, why: str, trigger: str, *, anew: bool) -> Run:
    """The build of a release whose artifact is kept no longer, told to bring it back. Raises `DeployRefused`."""
    if not anew:
        raise DeployRefused(
            "artifact-gone",
            f"The artifact of {target.tag} is kept no longer. It can be built anew, and goes back to "
            f"{environment.name} when exactly the same comes out: {target.digest}.",
        )
    release = Release.objects.filter(project=environment.project, tag=target.tag, commit=target.commit).first()
    if release is None:
        raise DeployRefused("no-tag", f"{target.tag} names another commit now, or is gone: it cannot be built anew.")
    release.project = environment.project
    build, _made = build_request(
        environment.project, release, lane=target.lane, lane_why=target.lane_why, trigger=trigger or "rollback",
        actor=actor, again=True,
    )  # fmt: skip
    wish = {
        "environment": environment.pk, "back_to": target.pk, "actor": actor.pk if actor else None, "why": why,
        "trigger": trigger, "only": True,
    }  # fmt: skip
    with transaction.atomic():
        row = Run.objects.select_for_update().get(pk=build.pk)
        row.then = [*(known for known in row.then if known["environment"] != environment.pk), wish]
        row.save(update_fields=["then"])
        build.then = row.then
    return build


def _must_not_be_bad(target: Run) -> None:
    """Going back needs no approval, so it is no way to ship what was taken back. Raises `DeployRefused`."""
    mark = BadRelease.objects.filter(project=target.project_id, tag=target.tag, lifted_at=None).first()
    if mark is not None:
        raise DeployRefused(
            "bad-release",
            f"{target.tag} was taken back itself: {mark.why} Deploy it with a reason, or lift the mark first.",
        )


def _deployment(
    environment: Environment, release: Release, build: Run, pipeline: Pipeline, chosen: Lane, trigger: str, actor: Any,
    why: str,
) -> Run:  # fmt: skip
    lane = chosen.lane
    steps = list(PipelineSpec.from_data(pipeline.spec).environment_steps(lane, environment.name))
    run = Run(
        kind=Run.Kind.DEPLOY, environment=environment, pipeline=pipeline, lane=lane, build=build,
        artifact=build.artifact, digest=build.digest, trigger=trigger, asked_by=actor, why=why,
        lane_why=chosen.why[:500], rank=HOTFIX_RANK if lane == Run.Lane.HOTFIX else 0,
    )  # fmt: skip
    if environment.approvals:
        run.state = State.ASKED
    return _made(run, release, steps)


def _made(run: Run, release: Release, steps: Sequence[StepSpec], stands: Release | None = None) -> Run:
    """Write the run and its steps, in the caller's transaction. `stands`: the row of a release that is only named."""
    run.project, run.release = release.project, (stands if release.pk is None else release)
    run.tag, run.tag_object, run.commit = release.tag, release.tag_object, release.commit
    run.state = run.state or State.QUEUED
    if run.state == State.QUEUED:
        run.queued_at = timezone.now()
    run.save(force_insert=True)
    kept = _with_a_look(steps, run.environment)
    Step.objects.bulk_create(
        Step(run=run, index=n, name=step.name[:80], kind=step.kind.value, spec=step.as_data())
        for n, step in enumerate(kept)
    )
    if run.state == State.ASKED:
        return approvals_open(run)
    tell(run, "run.queued", _says(run), actor=run.asked_by, by="" if run.asked_by else run.trigger)
    follow(run)
    return run


def _with_a_look(steps: Sequence[StepSpec], environment: Environment | None) -> list[StepSpec]:
    """The steps, and after the last one that deploys a look by the probe, where the environment has one."""
    kept = list(steps)
    asks = any(step.kind is StepKind.VERIFY and not step.run for step in kept)
    if environment is None or not environment.probe or asks:
        return kept
    last = max((n for n, step in enumerate(kept) if step.kind in _DEPLOYING), default=-1)
    if last >= 0:
        kept.insert(last + 1, StepSpec("The new version answers", StepKind.VERIFY))
    return kept


def _says(run: Run) -> str:
    where = f" to {run.environment.name}" if run.environment else ""
    return f"{run.get_kind_display()} of {run.tag}{where}{f': {run.why}' if run.why else '.'}"


def _build_first(
    environment: Environment, release: Release, pipeline: Pipeline, chosen: Lane, trigger: str, actor: Any, why: str
) -> tuple[Run, bool]:
    """The build that has to come before, told where to go afterwards."""
    lane = chosen.lane
    while True:
        build, made = build_request(
            environment.project, release, lane=lane, trigger=trigger, actor=actor, pipeline=pipeline,
            lane_why=chosen.why,
        )  # fmt: skip
        wish = {
            "environment": environment.pk, "lane": lane, "trigger": trigger, "actor": actor.pk if actor else None,
            "why": why, "only": made,
        }  # fmt: skip
        with transaction.atomic():
            row = Run.objects.select_for_update().filter(pk=build.pk, state__in=ACTIVE).first()
            if row is not None:
                if all(known["environment"] != environment.pk for known in row.then):
                    row.then = [*row.then, wish]
                    row.save(update_fields=["then"])
                build.then = row.then
                return build, made
        build.refresh_from_db()
        if build.state == State.DONE:
            return deploy_request(environment, release, lane=lane, trigger=trigger, actor=actor, why=why)


# --- whether it may be -------------------------------------------------------------------------------------------


def _pipeline(project: Project) -> Pipeline:
    pipeline = pipeline_of(project)
    if pipeline is None:
        raise DeployRefused("no-pipeline", f"{project.name} has no pipeline yet; an administrator can make one.")
    return pipeline


def _here(release: Release) -> None:
    if release.deleted_at is not None:
        raise DeployRefused("no-tag", f"The tag {release.tag} is gone from the repository.")


def _may_go(environment: Environment, release: Release, pipeline: Pipeline, lane: str, why: str, digest: str) -> None:
    """Raises `DeployRefused` when this release must not go there as asked; `digest` is empty before it is built."""
    if environment.retired_at is not None:
        raise DeployRefused("retired", f"{environment.name} is out of use.")
    spec = PipelineSpec.from_data(pipeline.spec)
    if not any(step.kind is StepKind.DEPLOY for step in spec.environment_steps(lane, environment.name)):
        raise DeployRefused("no-steps", f"The pipeline has no step that deploys to {environment.name}.")
    if why:
        return
    bad = BadRelease.objects.filter(project=release.project, tag=release.tag, lifted_at=None).first()
    if bad is not None:
        raise DeployRefused(
            "bad-release", f"{release.tag} was taken back: {bad.why} Say why it may go out all the same."
        )
    lacks = passed(environment, release, spec, lane, digest).lacks(release.tag)
    if lacks:
        raise DeployRefused("not-passed", f"{lacks} Say why it may go on all the same.")


def _same(run: Run, release: Release, build: Run, pipeline: Pipeline) -> bool:
    """Whether a run that waits was asked for with the very facts of now."""
    now = (release.commit, release.tag_object, build.pk, build.digest, pipeline.pk)
    return now == (run.commit, run.tag_object, run.build_id, run.digest, run.pipeline_id)
