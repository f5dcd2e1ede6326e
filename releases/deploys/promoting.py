"""What follows by itself: builds of new version tags, the next environment after a good run, a rollback after a bad.

Each consequence of a run's end is asked for once, in the transaction that marks it as followed; the sweep does what a
worker that died could not. Ledger kind: run.stopped (it does not go on by itself, and why).
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.db import transaction
from django.utils import timezone

from releases.ledger.models import Event
from releases.projects.models import Project, Release

from .approving import runs_void_stale
from .errors import DeployRefused
from .following import stages_told_keep, tell
from .models import Environment, Pipeline, Run
from .requesting import build_request, deploy_request, rollback_request
from .selectors import RELATED, lane_environments
from .settings_services import pipeline_of
from .spec import PipelineSpec, Trigger

log = logging.getLogger(__name__)

State = Run.State
OLDEST = timedelta(days=7)
"""A tag that is known for longer is not built by itself any more."""


# --- what follows from the end of a run ---------------------------------------------------------------------------


def run_follow_up(run: Run) -> list[Run]:
    """Ask for what follows from how this run ended, once; the runs that were made for it."""
    with transaction.atomic():
        ended = Run.objects.filter(pk=run.pk, followed_at=None, state__in=(State.DONE, State.FAILED))
        if ended.update(followed_at=timezone.now()) != 1:
            return []
        fresh = Run.objects.select_related(*RELATED).get(pk=run.pk)
        return promote(fresh) if fresh.state == State.DONE else _rolled_back(fresh)


def runs_to_follow_up(limit: int = 100) -> list[Run]:
    """Runs that ended and whose consequences nobody has asked for yet."""
    ended = Run.objects.filter(followed_at=None, state__in=(State.DONE, State.FAILED))
    return list(ended.select_related(*RELATED).order_by("pk")[:limit])


def promote(run: Run) -> list[Run]:
    """Ask for the next environment of the lane after a run that is done; what was asked for of a build goes first."""
    if run.kind == Run.Kind.ROLLBACK:
        return []
    if stopped := _astray(run):
        tell(run, "run.stopped", stopped, by="worker")
        return []
    made = [found for wish in run.then if (found := _wished(run, wish)) is not None]
    if any(wish.get("only") for wish in run.then):
        return made
    place = next_environment(run)
    if place is None or not place.promotes:
        return made
    why = _not_by_itself(run, place)
    found = None if why else _asked(run, place, run.lane, "promotion", run.asked_by, "")
    if why:
        tell(run, "run.stopped", f"{run.tag} does not go on to {place.name} by itself: {why}", by="worker")
    return [*made, found] if found else made


def next_environment(run: Run) -> Environment | None:
    """Where this run's release goes next in its lane; None after the last."""
    pipeline = pipeline_of(run.project)
    spec = PipelineSpec.from_data((pipeline or run.pipeline).spec)
    line = lane_environments(run.project, run.lane, spec)
    if run.environment is None:
        return next(iter(line), None)
    here = (run.environment.order, run.environment.pk)
    return next((row for row in line if (row.order, row.pk) > here), None)


def _astray(run: Run) -> str:
    release = run.release
    if release is None or release.deleted_at is not None:
        return f"The tag {run.tag} is gone, so it does not go on."
    if release.commit != run.commit:
        return f"{run.tag} names {release.commit[:7]} now and not {run.commit[:7]}, so it does not go on."
    return ""


def _not_by_itself(run: Run, place: Environment) -> str:
    """Why a person has to ask for this environment; empty when nobody has to."""
    release, there = run.release, place.live
    if release is not None and release.kind == Release.Kind.PRE and place.is_production:
        return "it is a pre-release."
    if there is None or release is None:
        return ""
    if (there.tag, there.commit, there.digest) == (run.tag, run.commit, run.digest):
        return "it runs there already."
    newer = there.release is not None and there.release.sort_key > release.sort_key
    return f"{there.tag}, which is newer, runs there." if newer else ""


def _wished(run: Run, wish: Mapping[str, Any]) -> Run | None:
    """A deployment that somebody asked for before this build was done."""
    place = Environment.objects.select_related("project").filter(pk=wish["environment"]).first()
    actor = get_user_model().objects.filter(pk=wish["actor"]).first() if wish["actor"] else None
    if place is None:
        return None
    if "back_to" in wish:
        return _brought_back(run, place, wish, actor)
    return _asked(run, place, wish["lane"], wish["trigger"], actor, wish["why"])


def _brought_back(run: Run, place: Environment, wish: Mapping[str, Any], actor: Any) -> Run | None:
    """The rollback that waited for this build, when exactly what ran there before came out of it."""
    target = Run.objects.select_related(*RELATED).filter(pk=wish["back_to"]).first()
    if target is None:
        return None
    if (run.digest, run.commit) != (target.digest, target.commit):
        stopped = f"{run.digest or 'nothing with a digest'} came out, and {target.digest} ran there."
        tell(run, "run.stopped", f"It does not go back to {place.name}: {stopped}", by="worker")
        return None
    # The file may lie elsewhere now; what it holds is the same.
    Run.objects.filter(project=run.project_id, digest=run.digest).exclude(artifact_gone_at=None).update(
        artifact=run.artifact, artifact_gone_at=None
    )
    target.artifact, target.artifact_gone_at = run.artifact, None
    try:
        with transaction.atomic():
            return rollback_request(place, actor=actor, why=wish["why"], to=target, trigger=wish["trigger"])
    except DeployRefused as refusal:
        tell(run, "run.stopped", f"It does not go back to {place.name}: {refusal.sentence}", by="worker")
        return None


def _asked(run: Run, place: Environment, lane: str, trigger: str, actor: Any, why: str) -> Run | None:
    if run.release is None:
        return None
    try:
        with transaction.atomic():
            found, made = deploy_request(place, run.release, lane=lane, trigger=trigger, actor=actor, why=why)
    except DeployRefused as refusal:
        tell(run, "run.stopped", f"It does not go on to {place.name}: {refusal.sentence}", by="worker")
        return None
    return found if made else None


def _rolled_back(run: Run) -> list[Run]:
    """Where the environment says so, what was live and failed its verification is taken back without a person."""
    place = run.environment
    if place is None or not place.rolls_back or run.kind != Run.Kind.DEPLOY or run.live_at is None:
        return []
    if place.live_id != run.pk or Run.objects.filter(kind=Run.Kind.ROLLBACK, replaces=run).exists():
        return []
    try:
        with transaction.atomic():
            return [
                rollback_request(
                    place, actor=None, why=f"{run.tag} failed its verification. {run.error_text}", anew=True
                )
            ]
    except DeployRefused as refusal:
        tell(run, "run.stopped", f"It is not rolled back: {refusal.sentence}", by="worker")
        return []


# --- what follows from a look at the repository -------------------------------------------------------------------


def shipping_observe(project: Project) -> list[Run]:
    """After a fetch: build the version tags that are new, and let go of what waits for tags that moved or are gone."""
    pipeline = pipeline_of(project)
    if pipeline is None:
        return []
    stages_told_keep(project)
    runs_void_stale(project)
    trigger = Trigger(PipelineSpec.from_data(pipeline.spec).trigger)
    if trigger is Trigger.HAND:
        return []
    made = []
    for release in _new_releases(project):
        try:
            run, is_new = build_request(project, release, trigger=trigger.value)
        except DeployRefused as refusal:
            log.warning("%s of %s is not built: %s", release.tag, project, refusal.sentence)
            continue
        made += [run] if is_new else []
    return made


def _new_releases(project: Project) -> Iterable[Release]:
    """Tags that appeared while the pipeline was to build them, and that nobody has built; oldest version first."""
    since = max(_building_since(project), timezone.now() - OLDEST)
    told = Event.objects.filter(project=project, kind="release.new", at__gte=since).values_list("subject", flat=True)
    tags = [subject.removeprefix("release:") for subject in told]
    here = Release.objects.filter(project=project, tag__in=tags, deleted_at=None, moved_at=None)
    built = Run.objects.filter(project=project, kind=Run.Kind.BUILD, tag__in=tags).values("tag")
    return here.exclude(tag__in=built).order_by("sort_key")


def _building_since(project: Project) -> datetime:
    """Since when tags are built without a person."""
    since = timezone.now()
    for spec, made_at in Pipeline.objects.filter(project=project).order_by("-version").values_list("spec", "made_at"):
        if spec.get("trigger") == Trigger.HAND:
            break
        since = made_at
    return since
