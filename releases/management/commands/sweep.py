"""`manage.py sweep`: what the timer does every few seconds, by hand."""

from __future__ import annotations

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from releases.policies import keeping_up
from releases.tasks import fetch_nudge


class Command(BaseCommand):
    help = "Queue fetches that are due, name lost workers, nudge what was left behind; every 10 s until interrupted."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--once", action="store_true", help="Sweep once and end.")

    def handle(self, *args: Any, **options: Any) -> None:
        while True:
            nudged = keeping_up.sweep()
            sent = sum(fetch_nudge(run_pk) for run_pk in nudged)
            self.stdout.write(_sentence(len(nudged), sent))
            if options["once"]:
                return
            time.sleep(10)


def _sentence(waiting: int, sent: int) -> str:
    if not waiting:
        return "Nothing was left behind."
    fetches = "1 fetch" if waiting == 1 else f"{waiting} fetches"
    if sent < waiting:
        return f"The broker is away; {fetches} will start when it is back."
    return f"Nudged {fetches}."
