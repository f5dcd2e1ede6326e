"""A person asks for a look at a remote: a row first, then a nudge for the worker."""

from __future__ import annotations

from django.db import transaction
from django.http import HttpRequest

from releases import live
from releases.projects.models import FetchRun, Project
from releases.projects.services.fetches import fetch_request
from releases.tasks import fetch_nudge


def ask(project: Project, request: HttpRequest) -> FetchRun:
    """Queue a fetch, or join the one that waits; a broker that is away only means that the sweep starts it."""
    run = fetch_request(project, "person", request.user)
    nudge(run)
    tell(project)
    return run


def nudge(run: FetchRun) -> None:
    """When the transaction commits, send the task for this run."""
    transaction.on_commit(lambda: fetch_nudge(run.pk))


def nudge_queued(project: Project) -> None:
    """The same for whatever fetch of the project waits, if any."""
    run = project.fetch_runs.filter(state=FetchRun.State.QUEUED).first()
    if run is not None:
        nudge(run)
    tell(project)


def tell(project: Project) -> None:
    """Open pages of this project look again."""
    live.publish(live.project_topic(project.pk), live.OVERVIEW)
