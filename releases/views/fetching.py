"""A person asks for a look at a remote: a row first, then a nudge for the worker."""

from __future__ import annotations

import logging

from celery import current_app
from django.db import transaction
from django.http import HttpRequest
from kombu.exceptions import OperationalError

from releases.projects.models import FetchRun, Project
from releases.projects.services.fetches import fetch_request

log = logging.getLogger(__name__)
TASK = "releases.tasks.fetch_project"


def ask(project: Project, request: HttpRequest, trigger: str = "person") -> FetchRun:
    """Queue a fetch, or join the one that waits; a broker that is away only means that the sweep starts it."""
    run = fetch_request(project, trigger, request.user)
    transaction.on_commit(lambda: _nudge(run.pk))
    return run


def _nudge(run_pk: int) -> None:
    try:
        current_app.send_task(TASK, args=[run_pk], retry=False)
    except (OperationalError, OSError):
        log.warning("The broker is away; the sweep will start fetch %s.", run_pk)
