"""`manage.py gate`: would this release candidate bring a fixed bug back? Needs no server and no database."""

from __future__ import annotations

import os
import shutil
import sys
import time
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import CommandParser

from releases.management.reporting import ReportingCommand
from releases.policies.answer import answer
from releases.policies.asking import question_from
from releases.policies.decided import report_decide
from releases.policies.formats import Style
from releases.policies.gate import gate, gate_data
from releases.policies.gate_table import gate_table


class Command(ReportingCommand):
    help = (
        "Compare a release candidate with production: exit code 0 when it has every fix that is live, "
        "1 when a fixed bug would come back (or that cannot be ruled out), 2 on error."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        self.add_repository(parser)
        parser.add_argument(
            "--candidate", required=True, metavar="REF", help="branch, tag or commit that is to be released"
        )
        parser.add_argument(
            "--production", action="append", metavar="REF",
            help="branch, tag or glob that is production; tags:GLOB for version tags; guessed when not given",
        )  # fmt: skip
        parser.add_argument("--format", choices=("table", "json"), default="table")
        self.add_cache(parser)

    def perform(self, options: dict[str, Any], started: float) -> int:
        candidate = options["candidate"]
        with self.place(options) as place:
            question = question_from(place, production=options["production"], targets=[candidate])
            report = answer(
                place.git_dir, question, name=place.name, store=place.cache, refs=place.refs, preview=False,
                progress=self.progress(), started=started,
            )  # fmt: skip
            report_decide(report, place.decisions, datetime.now(UTC))
        found = gate(report, candidate)
        if options["format"] == "json":
            self.write(self.json(gate_data(report, found)))
        else:
            colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
            columns = min(160, max(80, shutil.get_terminal_size((110, 40)).columns))
            self.write(gate_table(report, found, Style(columns, colour, time.time())))
        return 0 if found.safe else 1
