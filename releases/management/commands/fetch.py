"""`manage.py fetch`: look at a project's remote now."""

from __future__ import annotations

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from releases.policies import keeping_up
from releases.policies.models import Verdict
from releases.projects.models import FetchRun
from releases.projects.services import fetch_next, fetch_request
from releases.tasks import fetch_carry_out, fetch_nudge

from .project import find_project

LEFT_TO_WORKERS = 3.0
"""Seconds that a running worker gets to take the fetch before it is done right here."""


class Command(BaseCommand):
    help = "Queue a fetch of a project; with --wait, see it through (also without a running worker)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", metavar="N", help="The project's name.")
        parser.add_argument("--wait", action="store_true", help="Wait for the result; fails when the fetch fails.")
        parser.add_argument("--timeout", type=int, default=3600, metavar="SECONDS", help="Wait no longer than this.")

    def handle(self, *args: Any, **options: Any) -> None:
        project = find_project(options["name"])
        run = fetch_request(project, "command")
        nudged = fetch_nudge(run.pk)
        if not options["wait"]:
            self.stdout.write(f"A fetch of {project.name} is queued.")
            return
        run = self._see_through(run, LEFT_TO_WORKERS if nudged else 0.0, options["timeout"])
        if run.state != FetchRun.State.DONE:
            raise CommandError(run.error_text or f"The fetch ended as: {run.get_state_display()}.")
        owed = Verdict.objects.filter(project=project, owed=True).values("fix").distinct().count()
        fixes = "1 fix is" if owed == 1 else f"{owed} fixes are"
        self.stdout.write(
            f"{project.name}: {_count(run.refs_changed, 'ref')} and {_count(run.verdicts_changed, 'verdict')} changed; "
            f"{fixes} owed."
        )

    def _see_through(self, run: FetchRun, patience: float, timeout: int) -> FetchRun:
        """Wait for a worker; when none takes it, do it here, by the same claim, so that it is never done twice."""
        started = time.monotonic()
        stage = ""
        while time.monotonic() - started < timeout:
            run.refresh_from_db()
            if run.state == FetchRun.State.LOST:
                keeping_up.sweep()
                waiting = fetch_next(run.project_id)
                run = FetchRun.objects.get(pk=waiting) if waiting else run
            if run.finished_at is not None:
                return run
            if run.state == FetchRun.State.QUEUED and time.monotonic() - started >= patience:
                fetch_carry_out(run.pk)
                # Another run of this project may be under way, even one whose worker is gone.
                keeping_up.sweep()
                run.refresh_from_db()
            if run.stage != stage:
                stage = run.stage
                if stage and self.stderr.isatty():
                    self.stderr.write(f"{stage} …")
            if run.finished_at is None:
                time.sleep(0.1)
        raise CommandError(f"It is not done after {timeout} seconds; the worker goes on.")


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
