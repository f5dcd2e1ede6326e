"""`manage.py sweep`: what the timer does every few seconds, by hand."""

from __future__ import annotations

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from releases.tasks import Swept, sweep_now


class Command(BaseCommand):
    help = "Queue what is due, name lost workers, nudge what was left behind; every 10 s until interrupted."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--once", action="store_true", help="Sweep once and end.")

    def handle(self, *args: Any, **options: Any) -> None:
        while True:
            self.stdout.write(_sentence(sweep_now()))
            if options["once"]:
                return
            time.sleep(10)


def _sentence(swept: Swept) -> str:
    waiting = " and ".join(
        f"{count} {one if count == 1 else many}"
        for count, one, many in (
            (swept.operations, "operation", "operations"),
            (swept.fetches, "fetch", "fetches"),
        )
        if count
    )
    if not waiting:
        return "Nothing was left behind."
    if swept.sent < swept.fetches + swept.operations:
        return f"The broker is away; {waiting} will start when it is back."
    return f"Nudged {waiting}."
