"""`manage.py operation`: the journal of changes to remotes, looked at and put right without the web."""

from __future__ import annotations

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from releases.operations.models import Operation
from releases.operations.selectors import operations_of, operations_open
from releases.operations.services import OperationRefused, operation_cancel, operation_retry
from releases.policies.wording import harmless
from releases.tasks import operation_carry_out_here, operation_nudge, sweep_now

from .project import find_project


class Command(BaseCommand):
    """list, show, retry, cancel."""

    help = "Show what is being done to remotes and what is stuck; try it again, or take back what has not begun."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
        listing = actions.add_parser("list", help="What waits, runs, conflicts or failed and may be tried again.")
        listing.add_argument("--project", metavar="N", help="Of this project only.")
        listing.add_argument("--all", action="store_true", help="What is done, too; the newest hundred.")
        show = actions.add_parser("show", help="One operation: each ref with its old and new value, and how far it is.")
        show.add_argument("number", type=int, metavar="ID")
        retry = actions.add_parser("retry", help="Let it try again; the remote is compared with the journal first.")
        retry.add_argument("number", type=int, metavar="ID")
        retry.add_argument("--wait", action="store_true", help="See it through, also without a running worker.")
        retry.add_argument("--timeout", type=int, default=600, metavar="SECONDS", help="Wait no longer than this.")
        cancel = actions.add_parser("cancel", help="Take back what has not begun.")
        cancel.add_argument("number", type=int, metavar="ID")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            getattr(self, f"_{options['action']}")(options)
        except OperationRefused as refusal:
            raise CommandError(str(refusal)) from refusal

    def _list(self, options: dict[str, Any]) -> None:
        project = find_project(options["project"]) if options["project"] else None
        if options["all"]:
            rows = operations_of(project) if project else Operation.objects.all()
        else:
            rows = operations_open([project.pk] if project else None)
        found = rows.select_related("project")[:100]
        for row in found:
            self._say(str(row.pk), row.project.slug, row.kind, row.subject, state(row), says(row))
        if not found:
            self._say("No operation yet." if options["all"] else "Nothing waits, runs or needs a hand.")

    def _show(self, options: dict[str, Any]) -> None:
        row = find_operation(options["number"])
        self._say(f"{row.pk}: {row.get_kind_display()}, {row.subject} in {row.project.slug}")
        self._say(f"asked for by {row.actor_name} at {row.asked_at:%Y-%m-%d %H:%M:%S} UTC, key {row.key}")
        self._say(f"{state(row)}, attempt {row.attempts}, planned again {row.replans} times")
        if row.worker:
            beat = f"{row.heartbeat_at:%Y-%m-%d %H:%M:%S} UTC" if row.heartbeat_at else "never"
            self._say(f"worker {row.worker}, last sign of life {beat}")
        for update in (row.plan or {}).get("updates") or row.outcome.get("refs") or ():
            self._say(f"  {update['name']}: {update['old'] or 'not there'} → {update['new'] or 'deleted'}")
        for line in (says(row), *row.outcome.get("notes", ()), *row.outcome.get("remote", "").splitlines()):
            if line:
                self._say(line)
        for conflict in row.outcome.get("conflicts", ()):
            self._say(f"  conflict in {conflict.get('path', '')}")
        for line in row.outcome.get("commands", ()):
            self._say(f"  $ {line}")

    def _retry(self, options: dict[str, Any]) -> None:
        row = operation_retry(find_operation(options["number"]))
        if options["wait"]:
            self._see_through(row, options["timeout"])
        elif operation_nudge(row.pk):
            self._say(f"{row.pk} is tried again.")
        else:
            self._say(f"{row.pk} waits: the broker is away. Do it here with: manage.py operation retry {row.pk} --wait")

    def _see_through(self, row: Operation, timeout: float) -> None:
        """Do it here, by the same claim as a worker, so that it is never done twice; or wait for whoever has it."""
        started = time.monotonic()
        while row.is_active:
            if time.monotonic() - started > timeout:
                raise CommandError(f"It is not done after {timeout:.0f} seconds; a worker goes on with it.")
            operation_carry_out_here(row.pk)
            row.refresh_from_db()
            if row.is_active:
                sweep_now()  # Another operation of this project may be under way, even one whose worker is gone.
                time.sleep(0.5)
        if row.state != Operation.State.DONE:
            raise CommandError(harmless(says(row)))
        self._say(says(row))

    def _cancel(self, options: dict[str, Any]) -> None:
        row = find_operation(options["number"])
        operation_cancel(row)
        self._say(f"{row.pk} is cancelled; nothing happened.")

    def _say(self, *columns: str) -> None:
        self.stdout.write("\t".join(harmless(column) for column in columns))


def find_operation(number: int) -> Operation:
    """The operation of this number. Raises `CommandError`."""
    row = Operation.objects.select_related("project").filter(pk=number).first()
    if row is None:
        raise CommandError(f"There is no operation {number}. See: manage.py operation list --all")
    return row


def state(row: Operation) -> str:
    """In one or two words, with how long it has been so."""
    said = str(row.get_state_display()).lower()
    if row.state == Operation.State.RUNNING and row.step:
        said = f"{said}, {row.get_step_display().lower()}"
    since = row.finished_at or (row.started_at if row.state == Operation.State.RUNNING else row.asked_at)
    seconds = int((timezone.now() - since).total_seconds()) if since else 0
    return f"{said} for {seconds // 60} min" if row.is_active else said


def says(row: Operation) -> str:
    """What it did, or why it did not."""
    return row.error_text or str(row.outcome.get("says", ""))
