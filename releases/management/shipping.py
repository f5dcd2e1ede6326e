"""What the commands that ship have in common: finding what is meant, waiting for a run, answers for people and scripts.

Exit codes: 0 asked for, or with --wait done; 1 refused, or ended otherwise; 2 not understood, or something is missing;
3 with --wait: still under way when the time was up.
"""

from __future__ import annotations

import sys
import time
from argparse import ArgumentParser
from typing import Any

from django.contrib.auth import get_user_model

from hotfixdash.accounts.roles import Act
from releases.deploys.errors import DeployRefused
from releases.deploys.gates import waits_for
from releases.deploys.models import Environment, LogChunk, Run
from releases.policies.wording import harmless
from releases.projects.models import Project, Release
from releases.tasks import sweep_now
from releases.tasks.deploys import run_carry_out_here
from releases.tasks.probes import probes_sweep

from .reporting import ERROR, ReportingCommand

REFUSED, UNDER_WAY = 1, 3
LEFT_TO_WORKERS = 3.0
"""Seconds that a running worker gets to take a run before it is done right here."""
SWEEP_EVERY = 2.0


class Missing(Exception):
    """What was named is not there; the message is a sentence, the hint says what there is."""

    def __init__(self, code: str, sentence: str, hint: str = "") -> None:
        super().__init__(sentence)
        self.code = code
        self.hint = hint


class ShippingCommand(ReportingCommand):
    """A command about runs. Needs the database, and no running server."""

    def perform(self, options: dict[str, Any], started: float) -> int:
        try:
            return self.act(options)
        except Missing as fault:
            return self.fail(options, fault.code, str(fault), fault.hint)
        except DeployRefused as refusal:
            self.fail(options, refusal.code, refusal.sentence, "")
            return REFUSED

    def act(self, options: dict[str, Any]) -> int:
        """Do it and say so; the exit code."""
        raise NotImplementedError

    def add_answer(self, parser: ArgumentParser, *, waits: bool = True) -> None:
        parser.add_argument("--format", choices=("text", "json"), default="text", help="How it answers (text).")
        if waits:
            parser.add_argument("--wait", action="store_true", help="See it through, also without a running worker.")
            parser.add_argument(
                "--timeout", type=float, default=3600, metavar="SECONDS", help="Wait no longer than this (3600)."
            )
            parser.add_argument("--log", action="store_true", help="With --wait: the steps' output on standard error.")

    def answer(self, options: dict[str, Any], run: Run, said: str) -> None:
        run = Run.objects.select_related("project", "environment", "asked_by", "pipeline").get(pk=run.pk)
        self.write(self.json({"run": run_data(run)}) if options["format"] == "json" else harmless(said))

    def finish(self, options: dict[str, Any], run: Run, environment: Environment | None, nudged: bool = True) -> int:
        """Say what was asked for or, with --wait, what became of it; the exit code."""
        if not options["wait"]:
            self.answer(options, run, f"{called(run)}: {state_of(run)}.")
            return 0
        run = _Waiting(run, environment, options["timeout"], options["log"]).end(LEFT_TO_WORKERS if nudged else 0.0)
        self.answer(options, run, f"{called(run)}: {state_of(run)}.")
        if run.state == Run.State.DONE:
            return 0
        return REFUSED if run.is_over else UNDER_WAY


# --- finding ------------------------------------------------------------------------------------------------------


def project_called(name: str) -> Project:
    """The project of this slug or name. Raises `Missing`."""
    project = Project.objects.filter(slug=name).first() or Project.objects.filter(name=name).first()
    if project is None:
        known = ", ".join(Project.objects.real().values_list("slug", flat=True)[:20]) or "none yet"
        raise Missing("no-project", f"There is no project called {name}.", f"Tracked: {known}.")
    return project


def environment_called(project: Project, name: str) -> Environment:
    """Raises `Missing`."""
    rows = {row.name: row for row in Environment.objects.filter(project=project, retired_at=None)}
    if name not in rows:
        known = ", ".join(rows) or "none yet"
        raise Missing("no-environment", f"{project.name} has no environment {name}.", f"There are: {known}.")
    row = rows[name]
    row.project = project
    return row


def release_called(project: Project, tag: str) -> Release:
    """Raises `Missing`."""
    release = Release.objects.filter(project=project, tag=tag).first()
    if release is None:
        hint = f"Look for new tags: manage.py fetch {project.slug} --wait"
        raise Missing("no-release", f"{project.name} has no release {tag}.", hint)
    release.project = project
    return release


def person_called(name: str | None, project: Project, act: Act) -> Any:
    """Who it is done for; None when nobody is named. Raises `Missing` and, when they may not do it, `DeployRefused`."""
    if not name:
        return None
    person = get_user_model().objects.filter(username=name, is_active=True).first()
    if person is None:
        raise Missing("no-person", f"Nobody who may sign in is called {name}.", "See: manage.py account list")
    if not Project.objects.open_to(person).filter(pk=project.pk).exists():
        raise DeployRefused("unseen", f"{name} may not see {project.name}.")
    if not person.may(act):
        raise DeployRefused("role", f"The role of {name}, {person.role.label}, does not include this.")
    return person


# --- saying -------------------------------------------------------------------------------------------------------


def called(run: Run) -> str:
    where = f" to {run.environment.name}" if run.environment else ""
    return f"Run {run.pk}, {run.get_kind_display().lower()} of {run.tag}{where}"


def state_of(run: Run) -> str:
    """In words, with why where it says so, and what holds it back; without a full stop."""
    said = [str(run.get_state_display()).lower(), run.error_text, *(hold.sentence for hold in waits_for(run))]
    return ". ".join(part.rstrip(".") for part in said if part)


def run_data(run: Run) -> dict[str, Any]:
    """A run for scripts; documented in docs/commands.md."""
    steps = run.steps.order_by("index")
    return {
        "id": run.pk,
        "project": run.project.slug,
        "kind": run.kind,
        "environment": run.environment.name if run.environment else None,
        "lane": run.lane,
        "state": run.state,
        "over": run.is_over,
        "tag": run.tag,
        "tag_object": run.tag_object or None,
        "commit": run.commit,
        "artifact": run.artifact or None,
        "digest": run.digest or None,
        "pipeline": run.pipeline.version,
        "asked_by": run.asked_by.get_username() if run.asked_by else None,
        "asked_at": _moment(run.asked_at),
        "started_at": _moment(run.started_at),
        "finished_at": _moment(run.finished_at),
        "live_at": _moment(run.live_at),
        "verified_at": _moment(run.verified_at),
        "error": {"code": run.error_code, "message": run.error_text} if run.error_text else None,
        "holds": [
            {"code": hold.code, "message": hold.sentence, "until": _moment(hold.until)} for hold in waits_for(run)
        ],
        "steps": [{"name": step.name, "kind": step.kind, "state": step.state} for step in steps],
    }


def _moment(value: Any) -> str | None:
    return value.isoformat(timespec="seconds") if value else None


# --- waiting ------------------------------------------------------------------------------------------------------


class _Waiting:
    """Sees a run to its end: a running worker's, or here, by the same claim, so that nothing is done twice."""

    def __init__(self, run: Run, environment: Environment | None, timeout: float, log: bool) -> None:
        self.run = run
        self.environment = environment
        self.until = time.monotonic() + timeout
        self.log = log
        self._told = ""
        self._chunks: dict[int, int] = {}

    def end(self, patience: float) -> Run:
        """The run as it is when it is over, or when the time is up."""
        begun = swept = time.monotonic()
        while True:
            self._look()
            if self._is_over() or time.monotonic() > self.until:
                return self.run
            if time.monotonic() - begun >= patience:
                if self.run.state in (Run.State.QUEUED, Run.State.PAUSED):
                    run_carry_out_here(self.run.pk)
                if time.monotonic() - swept >= SWEEP_EVERY or patience == 0:
                    sweep_now()
                    probes_sweep()
                    swept = time.monotonic()
            time.sleep(0.2)

    def _is_over(self) -> bool:
        """A build that goes on to an environment is not the end of it."""
        goes_on = self.environment is not None and self.run.kind == Run.Kind.BUILD and self.run.state == Run.State.DONE
        return self.run.is_over and not goes_on

    def _look(self) -> None:
        self.run = Run.objects.select_related("project", "environment").get(pk=self.run.pk)
        if self.log:
            self._show_log()
        if self.environment is not None and self.run.kind == Run.Kind.BUILD and self.run.state == Run.State.DONE:
            later = Run.objects.filter(environment=self.environment, tag=self.run.tag, pk__gt=self.run.pk)
            self.run = later.select_related("project", "environment").order_by("pk").first() or self.run
        said = f"{called(self.run)}: {state_of(self.run)}"
        step = self.run.steps.filter(state__in=("running", "waiting")).first()
        said += f", {step.name}" if step is not None else ""
        if said != self._told:
            self._told = said
            sys.stderr.write(f"{harmless(said)}\n")
            sys.stderr.flush()

    def _show_log(self) -> None:
        after = self._chunks.get(self.run.pk, -1)
        for chunk in LogChunk.objects.filter(run=self.run, sequence__gt=after).order_by("sequence"):
            self._chunks[self.run.pk] = chunk.sequence
            sys.stderr.write("".join(f"{harmless(line)}\n" for line in chunk.text.splitlines()))


__all__ = [
    "ERROR", "REFUSED", "UNDER_WAY", "Missing", "ShippingCommand", "called", "environment_called", "person_called",
    "project_called", "release_called", "run_data", "state_of",
]  # fmt: skip
