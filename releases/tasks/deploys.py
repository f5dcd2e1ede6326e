"""Tasks of the queue `deploy`, and what doors call to ask for runs."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

from celery import shared_task
from django.core.cache import cache
from django.db import transaction

from releases.deploys.acting import answers_overdue
from releases.deploys.approving import runs_enough, runs_expire, runs_void_stale
from releases.deploys.carrying import run_alive, run_carry_out
from releases.deploys.following import hotfixes_follow
from releases.deploys.gates import locks_end
from releases.deploys.models import Environment, Run
from releases.deploys.moving import run_is_ready, run_next, run_nudged, runs_lost, runs_to_nudge
from releases.deploys.probing import probe_lives
from releases.deploys.promoting import run_follow_up, runs_to_follow_up, shipping_observe
from releases.deploys.requesting import build_request, deploy_request, rollback_request
from releases.deploys.retention import artifacts_sweep, orphans_sweep
from releases.deploys.runner.marks import orphans_end
from releases.deploys.runner.workspaces import workspaces_sweep
from releases.deploys.stepping import work_root
from releases.projects.models import Project, Release
from releases.projects.worker_names import worker_name

from .mail import mails_sweep
from .sending import NUDGE_LIVES, send

log = logging.getLogger(__name__)

ARTIFACTS_EVERY = 3600
"""Seconds between two looks for artifacts that are kept no longer."""
LONGEST = 24 * 3600
"""Seconds after which Celery itself ends the process; every step ends much earlier by its own limits."""


# Taken off the queue when it begins, not when it ends: a run may take hours, and a broker that dies meanwhile must not
# take the worker with it. What is lost with a worker the sweep sends again.
@shared_task(name="releases.tasks.run_steps", acks_late=False, time_limit=LONGEST + 60, soft_time_limit=LONGEST)  # type: ignore[untyped-decorator]
def run_steps(run_pk: int) -> None:
    """Carry out one run that is ready, unless somebody has it; then nudge what follows from it or waited for it."""
    run_carry_out_here(run_pk)


@shared_task(name="releases.tasks.follow_runs")  # type: ignore[untyped-decorator]
def follow_runs(run_pk: int) -> None:
    """Bring the hotfix tickets in line with what became of a run."""
    hotfixes_follow()


def run_carry_out_here(run_pk: int) -> Run | None:
    """Carry out one run in this process, and ask for what follows; None when somebody else has it or will."""
    run = run_carry_out(run_pk, worker_name())
    if run is not None:
        runs_nudge(run_follow_up(run))
        if run_is_ready(run):
            run_nudge(run.pk)  # An answer came while its command still ran.
        elif run.environment is not None:
            environment_nudge(run.environment)
        hotfixes_follow()
    return run


def run_nudge(run_pk: int) -> bool:
    """Send a task for a run that is ready; False when the broker is away: the sweep does it later."""
    run_nudged(run_pk)
    return send(run_steps, run_pk, expires=NUDGE_LIVES)


def runs_nudge(runs: Iterable[Run]) -> int:
    """Send a task for each of these that is ready."""
    return sum(run_nudge(run.pk) for run in runs if run.state in (Run.State.QUEUED, Run.State.PAUSED))


def environment_nudge(environment: Environment) -> bool:
    """Send a task for whoever's turn it is in this environment now, if anybody's."""
    pk = run_next(environment)
    return pk is not None and run_nudge(pk)


def run_changed(run: Run) -> None:
    """After a person's act on a run: when the transaction commits, nudge it, or who waited for its place. For doors."""

    def nudge() -> None:
        if run.state in (Run.State.QUEUED, Run.State.PAUSED):
            run_nudge(run.pk)
        elif run.environment is not None:
            environment_nudge(run.environment)
        send(follow_runs, run.pk, expires=NUDGE_LIVES)

    transaction.on_commit(nudge)


def build_ask(project: Project, release: Release, **how: Any) -> tuple[Run, bool]:
    """Ask for a build and, when the transaction commits, nudge a worker. For doors; see `build_request`."""
    run, made = build_request(project, release, **how)
    run_changed(run)
    return run, made


def deploy_ask(environment: Environment, release: Release, **how: Any) -> tuple[Run, bool]:
    """Ask for a deployment and, when the transaction commits, nudge a worker. For doors; see `deploy_request`."""
    run, made = deploy_request(environment, release, **how)
    run_changed(run)
    return run, made


def rollback_ask(environment: Environment, **how: Any) -> Run:
    """Ask for a rollback and, when the transaction commits, nudge a worker. For doors; see `rollback_request`."""
    run = rollback_request(environment, **how)
    run_changed(run)
    return run


def shipping_look(project: Project) -> None:
    """After a fetch: builds of new tags, and what else a repository's change means for runs."""
    runs_nudge(shipping_observe(project))


def deploys_sweep() -> int:
    """Name lost workers and what they left, ask for what follows, nudge what was left behind; how many were nudged."""
    parts = (
        runs_lost, _orphans_end, answers_overdue, runs_void_stale, runs_expire, runs_enough, locks_end, _follow_up,
        hotfixes_follow, mails_sweep, _artifacts_end,
    )  # fmt: skip
    for part in parts:
        try:
            part()
        except Exception:
            # What one of them cannot do must not keep the others from it; the next sweep tries again.
            log.exception("a part of the sweep failed: %s", part.__name__)
    return sum(run_nudge(pk) for pk in runs_to_nudge())


def _orphans_end() -> None:
    """End what belongs to no run, and remove its folders."""
    orphans_end(lambda marker: run_alive(marker) or probe_lives(marker))
    workspaces_sweep(work_root())


def _artifacts_end() -> None:
    """About once in an hour, remove what is kept no longer."""
    if cache.add("deploys:artifacts-looked-at", 1, ARTIFACTS_EVERY):
        artifacts_sweep()
        orphans_sweep()


def _follow_up() -> None:
    for run in runs_to_follow_up():
        try:
            run_follow_up(run)
        except Exception:
            log.exception("what follows from run %s could not be asked for", run.pk)
