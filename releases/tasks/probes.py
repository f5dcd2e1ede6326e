"""Asking what runs: every few seconds, for the environments whose turn it is."""

from __future__ import annotations

from celery import shared_task

from releases.deploys.promoting import run_follow_up, runs_to_follow_up
from releases.deploys.watching import environments_probe, environments_to_probe, watches_unasked

from .deploys import environment_nudge, runs_nudge


@shared_task(name="releases.tasks.probe_environments")  # type: ignore[untyped-decorator]
def probe_environments() -> None:
    """Ask the environments whose turn it is, and start what follows from the answers."""
    probes_sweep()


def probes_sweep() -> int:
    """The same in this process; how many answers were written down."""
    count = environments_probe(environments_to_probe())
    if count + watches_unasked():
        for run in runs_to_follow_up():
            runs_nudge(run_follow_up(run))
            if run.environment is not None:
                environment_nudge(run.environment)
    return count
