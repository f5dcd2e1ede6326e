"""`manage.py mergeback`: which fixes live in production the targets still lack. Needs no server and no database."""

from __future__ import annotations

import os
import shutil
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from releases.evidence.verdicts import Report
from releases.management.reporting import ReportingCommand
from releases.policies.answer import answer
from releases.policies.asking import question_from
from releases.policies.decided import report_decide
from releases.policies.formats import Style, markdown, table
from releases.policies.newer_lines import answer_for_lines
from releases.policies.report_data import report_data


class Command(ReportingCommand):
    help = (
        "Show which fixes that are live in production are still missing from the branches that must have them, "
        "with evidence from git. Exit code with --exit-code: 0 nothing owed, 1 something owed, 2 error."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        self.add_repository(parser)
        parser.add_argument(
            "--production", action="append", metavar="REF",
            help="branch, tag or glob that is production; tags:GLOB for version tags; guessed when not given",
        )  # fmt: skip
        parser.add_argument(
            "--target", action="append", metavar="BRANCH",
            help="branch that must have every fix; may be repeated; guessed when not given",
        )  # fmt: skip
        parser.add_argument("--since", metavar="TAG|DATE", help="leave out fixes in TAG, or live before DATE")
        parser.add_argument("--commits", action="store_true", help="every production-side commit as its own fix")
        parser.add_argument("--chores", action="store_true", help="list version bumps and changelogs too")
        parser.add_argument("--format", choices=("table", "json", "markdown"), default="table")
        parser.add_argument("--exit-code", action="store_true", help="exit with 1 when something is owed")
        parser.add_argument("--mask", choices=("trailers",), help="do not use trailers and Change-Ids as evidence")
        parser.add_argument(
            "--ignore-commits", metavar="FILE", type=Path, help="object ids that must not be counterparts"
        )
        parser.add_argument("--no-preview", action="store_true", help="do not try whether missing fixes would conflict")
        self.add_cache(parser)

    def perform(self, options: dict[str, Any], started: float) -> int:
        with self.place(options) as place:
            question = question_from(
                place,
                production=options["production"],
                targets=options["target"],
                since=options["since"],
                commits=options["commits"],
                mask_trailers=options["mask"] == "trailers",
                ignore_file=options["ignore_commits"],
            )
            # Newer lines are asked about one by one, when they come from the project's own policy.
            ask = answer if options["target"] or options["production"] or place.policy is None else answer_for_lines
            report = ask(
                place.git_dir, question, name=place.name, store=place.cache, refs=place.refs,
                preview=not options["no_preview"], progress=self.progress(), started=started,
            )  # fmt: skip
            report_decide(report, place.decisions, datetime.now(UTC))
        self.write(self.render(report, options))
        return 1 if options["exit_code"] and report.owed else 0

    def render(self, report: Report, options: dict[str, Any]) -> str:
        # "Every commit" means every one: chores are marked there, not left out.
        chores = options["chores"] or options["commits"]
        if options["format"] == "json":
            return self.json(report_data(report, chores=chores))
        columns = shutil.get_terminal_size((110, 40)).columns
        terminal = sys.stdout.isatty()
        style = Style(
            columns=min(160, max(80, columns)), colour=terminal and not os.environ.get("NO_COLOR"),
            now=time.time(), chores=chores,
        )  # fmt: skip
        return (markdown if options["format"] == "markdown" else table)(report, style)
