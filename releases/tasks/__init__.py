"""Celery tasks: each takes a primary key, returns when there is nothing to do, makes one call."""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from celery import shared_task
from django.db import transaction

from releases import live
from releases.deploys.trunk import trunk_observe
from releases.git.errors import GitError
from releases.hotfixes.observing import hotfixes_observe
from releases.operations.carrying import operation_carry_out
from releases.operations.models import Operation
from releases.operations.services import (
    operation_next,
    operation_nudged,
    operation_request,
    operations_found_done,
    operations_lost,
    operations_to_nudge,
)
from releases.policies import keeping_up
from releases.policies.settling import settlements_sweep
from releases.projects.models import FetchRun, Project
from releases.projects.secrets import SecretUnreadable
from releases.projects.services import fetch_next, fetch_nudged, fetch_request
from releases.projects.services.mirrors import mirror_tidy
from releases.projects.worker_names import worker_name

from .deploys import (
    build_ask,
    deploy_ask,
    deploys_sweep,
    environment_nudge,
    follow_runs,
    rollback_ask,
    run_carry_out_here,
    run_changed,
    run_nudge,
    run_steps,
    runs_nudge,
    shipping_look,
)
from .probes import probe_environments, probes_sweep
from .sending import NUDGE_LIVES, send

__all__ = [
    "NUDGE_LIVES", "Swept", "build_ask", "deploy_ask", "deploys_sweep", "environment_nudge", "fetch_ask",
    "fetch_carry_out", "fetch_nudge", "fetch_project", "follow_runs", "operation_ask", "operation_carry_out_here",
    "operation_nudge", "probe_environments", "probes_sweep", "rollback_ask", "run_carry_out_here", "run_changed",
    "run_nudge", "run_operation", "run_steps", "runs_nudge", "sweep", "sweep_now", "tidy_mirror",
]  # fmt: skip

log = logging.getLogger(__name__)


@shared_task(name="releases.tasks.fetch_project")  # type: ignore[untyped-decorator]
def fetch_project(run_pk: int) -> None:
    """Carry out one queued fetch, unless somebody has it; then nudge what waited for it."""
    run = fetch_carry_out(run_pk)
    if run is not None:
        waiting = _next_ones(run.project_id)
        if not waiting and run.refs_changed:
            send(tidy_mirror, run.project_id, queue="git", expires=600)


@shared_task(name="releases.tasks.run_operation")  # type: ignore[untyped-decorator]
def run_operation(operation_pk: int) -> None:
    """Carry out one queued change of a remote, unless somebody has it; then nudge what waited for it."""
    operation = operation_carry_out_here(operation_pk)
    if operation is not None:
        _next_ones(operation.project_id, but=operation.pk)


@shared_task(name="releases.tasks.tidy_mirror")  # type: ignore[untyped-decorator]
def tidy_mirror(project_pk: int) -> None:
    """Upkeep of a mirror that changed, when nobody waits for it."""
    project = Project.objects.filter(pk=project_pk).first()
    if project is not None:
        with suppress(GitError, SecretUnreadable):
            mirror_tidy(project)
        _next_ones(project_pk)  # Somebody may have asked for a change meanwhile, and found the mirror held.


@shared_task(name="releases.tasks.sweep")  # type: ignore[untyped-decorator]
def sweep() -> None:
    """Every few seconds: queue what is due, name lost workers, nudge what was left behind."""
    sweep_now()


@dataclass(frozen=True, slots=True)
class Swept:
    """What a sweep found waiting for a worker."""

    fetches: int
    operations: int
    sent: int
    """For how much of it a task could be sent; the rest waits for the broker."""


def sweep_now() -> Swept:
    """One sweep, in this process."""
    operations_lost()
    operations, fetches = operations_to_nudge(), keeping_up.sweep()
    deploys_sweep()
    sent = sum(operation_nudge(pk) for pk in operations) + sum(fetch_nudge(pk) for pk in fetches)
    for project_pk in settlements_sweep():
        # Something is owed again because a waiver ran out; the tickets show it.
        hotfixes_observe(Project.objects.get(pk=project_pk))
    return Swept(len(fetches), len(operations), sent)


def fetch_carry_out(run_pk: int) -> FetchRun | None:
    """Carry out one queued fetch here, and all that follows from what it saw; None when somebody else has it."""
    run = keeping_up.project_refresh(run_pk, worker_name())
    if run is not None and run.state == FetchRun.State.DONE:
        if operations_found_done(run.project):
            live.publish(live.project_topic(run.project_id))
        try:
            hotfixes_observe(run.project)
        except Exception:
            # The fetch itself is done and written down; whatever was not observed is after the next one.
            log.exception("the hotfixes of project %s could not be observed", run.project_id)
        try:
            shipping_look(run.project)
            if (tagging := trunk_observe(run.project)) is not None:
                operation_nudge(tagging.pk)
        except Exception:
            log.exception("what ships of project %s could not be brought in line", run.project_id)
    return run


def fetch_ask(project: Project, trigger: str, actor: Any = None) -> FetchRun:
    """Ask for a look at the remote and, when the transaction commits, nudge a worker. For doors."""
    run = fetch_request(project, trigger, actor)
    transaction.on_commit(lambda: fetch_nudge(run.pk))
    return run


def fetch_nudge(run_pk: int) -> bool:
    """Send a task for a queued run; False when the broker is away, which only means that the sweep does it later."""
    fetch_nudged(run_pk)
    return send(fetch_project, run_pk, expires=NUDGE_LIVES)


def operation_ask(
    project: Project, kind: str, key: str, *, subject: str, params: dict[str, Any], actor: Any = None
) -> tuple[Operation, bool]:
    """Ask for a change of the remote and, when the transaction commits, nudge a worker. For doors."""
    operation, made = operation_request(project, kind, key, subject=subject, params=params, actor=actor)
    transaction.on_commit(lambda: operation_nudge(operation.pk))
    return operation, made


def operation_carry_out_here(operation_pk: int) -> Operation | None:
    """Carry out one queued operation in this process; None when somebody else has it or will."""
    return operation_carry_out(operation_pk, worker_name())


def operation_nudge(operation_pk: int) -> bool:
    """Send a task for a queued operation; False when the broker is away: the sweep does it later."""
    operation_nudged(operation_pk)
    return send(run_operation, operation_pk, expires=NUDGE_LIVES)


def _next_ones(project_pk: int, but: int = 0) -> bool:
    """Nudge the operation and the fetch of this project that wait, except the one that just gave way."""
    operation, run = operation_next(project_pk), fetch_next(project_pk)
    if operation is not None and operation != but:
        operation_nudge(operation)
    if run is not None:
        fetch_nudge(run)
    return operation is not None or run is not None
