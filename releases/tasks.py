"""Celery tasks: each takes a primary key, returns when there is nothing to do, makes one call."""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import Any

from celery import shared_task
from django.db import transaction
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from releases import live
from releases.git.errors import GitError
from releases.policies import keeping_up
from releases.projects.models import FetchRun, Project
from releases.projects.secrets import SecretUnreadable
from releases.projects.services import fetch_next, fetch_nudged, fetch_request
from releases.projects.services.mirrors import mirror_tidy
from releases.projects.worker_names import worker_name

log = logging.getLogger(__name__)

NUDGE_LIVES = 120
"""Seconds after which a task that nobody took is dropped; the sweep sends another, so queues do not pile up."""


@shared_task(name="releases.tasks.fetch_project")  # type: ignore[untyped-decorator]
def fetch_project(run_pk: int) -> None:
    """Carry out one queued fetch, unless somebody has it; then nudge the one that waited for it."""
    run = keeping_up.project_refresh(run_pk, worker_name())
    if run is not None:
        waiting = fetch_next(run.project_id)
        if waiting is not None:
            fetch_nudge(waiting)
        elif run.refs_changed:
            _send(tidy_mirror, run.project_id, queue="git", expires=600)


@shared_task(name="releases.tasks.tidy_mirror")  # type: ignore[untyped-decorator]
def tidy_mirror(project_pk: int) -> None:
    """Upkeep of a mirror that changed, when nobody waits for it."""
    project = Project.objects.filter(pk=project_pk).first()
    if project is not None:
        with suppress(GitError, SecretUnreadable):
            mirror_tidy(project)


@shared_task(name="releases.tasks.sweep")  # type: ignore[untyped-decorator]
def sweep() -> None:
    """Every few seconds: queue what is due, name lost workers, nudge what was left behind."""
    for run_pk in keeping_up.sweep():
        fetch_nudge(run_pk)


def fetch_ask(project: Project, trigger: str, actor: Any = None) -> FetchRun:
    """Ask for a look at the remote and, when the transaction commits, nudge a worker. For doors."""
    run = fetch_request(project, trigger, actor)
    transaction.on_commit(lambda: fetch_nudge(run.pk))
    return run


def fetch_nudge(run_pk: int) -> bool:
    """Send a task for a queued run; False when the broker is away, which only means that the sweep does it later."""
    fetch_nudged(run_pk)
    return _send(fetch_project, run_pk, expires=NUDGE_LIVES)


def _send(task: Any, pk: int, **options: Any) -> bool:
    if not live.broker_answers():
        log.warning("%s(%s) is not sent: the broker is away", task.name, pk)
        return False
    try:
        task.apply_async((pk,), retry=False, **options)
    except (OperationalError, RedisError, OSError) as error:
        log.warning("%s(%s) is not sent: the broker went away (%s)", task.name, pk, error)
        return False
    return True
