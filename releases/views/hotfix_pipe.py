"""The pane of a hotfix's page that shows how its release is being shipped: its runs, and the log of the one of now."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpRequest

from releases import live
from releases.deploys.models import Run
from releases.deploys.selectors import RELATED
from releases.hotfixes.models import Hotfix
from releases.projects.models import Project

from . import live_part
from .deploy_log import ShownLog, shown_log
from .deploy_words import ShownRun, ShownStep

MOST = 8
"""Runs that are listed; the history has all of them."""


@dataclass(slots=True)
class HotfixPipe:
    """What the pane shows."""

    run: ShownRun
    """The one whose steps and log are shown: what is under way, else the newest."""
    runs: list[ShownRun]
    """Of this release, in the order in which they were asked for."""
    steps: list[ShownStep]
    log: ShownLog
    log_live: str

    @property
    def is_live(self) -> bool:
        return self.run.row.state in (Run.State.RUNNING, Run.State.WATCHING)

    @property
    def waits(self) -> bool:
        """Somebody has to say yes."""
        return self.run.row.state == Run.State.ASKED


def pipe_of(request: HttpRequest, project: Project, hotfix: Hotfix, *, part: bool) -> HotfixPipe | None:
    """For signed-in people, once something of it was built; `part` leaves out the lines of the log."""
    if not hotfix.tag or not request.user.is_authenticated:
        return None
    rows = list(
        Run.objects.filter(project=project, tag=hotfix.tag).select_related(*RELATED).order_by("-pk")[:MOST]
    )  # fmt: skip
    if not rows:
        return None
    moving = [row for row in rows if row.state in ("running", "paused", "lost")]
    waiting = [row for row in rows if not row.is_over]
    run = (moving or waiting or rows)[0]
    log_live = live_part.stamped(live.run_topic(run.pk))
    run.refresh_from_db(fields=["log_lines", "log_bytes", "state"])
    steps = list(run.steps.order_by("index"))
    cut = run.state == Run.State.LOST
    current = next((step for step in steps if step.state in ("running", "waiting", "failed")), None)
    return HotfixPipe(
        ShownRun(run, project.slug), [ShownRun(row, project.slug) for row in reversed(rows)],
        [ShownStep(step, project.slug, step is current, cut) for step in steps],
        shown_log(run, steps, project.slug, {}, empty=part), log_live,
    )  # fmt: skip
