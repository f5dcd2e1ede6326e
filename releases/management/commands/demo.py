"""`manage.py demo`: real repositories with a fix for every verdict, tracked like any other."""

from __future__ import annotations

import logging
import os
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from hotfixdash.accounts.demo import logins_shown
from releases.demo.install import NotEmpty, demo_install, demo_remove
from releases.demo.others import public_pages
from releases.demo.shipping import NotShipped, shipping_first
from releases.deploys.carrying import run_carry_out
from releases.deploys.errors import DeployRefused
from releases.projects.worker_names import worker_name
from releases.tasks import fetch_carry_out


class Command(BaseCommand):
    """Build the demo on an empty dashboard, finish an interrupted one, or build it anew."""

    help = "Build the demo: six small repositories with real history, their projects and log-ins."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--reset",
            action="store_true",
            help="Remove the demo's projects, mirrors and repositories first; other projects stay as they are.",
        )

        parser.add_argument(
            "--ship",
            action="store_true",
            help="Bring out the first releases of the demo that is there; `manage.py serve` does it by itself.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        quiet = options["verbosity"] == 0
        # Judged and shipped here and now, as a worker would. The broker may not run yet, and no page is open: live
        # updates that go nowhere are no news, and nothing is kept that has to be forgotten.
        for name in ("releases.live", "hotfixdash.cache"):
            logging.getLogger(name).setLevel(logging.ERROR)
        if options["ship"]:
            self._ship(quiet)
            return
        if options["reset"]:
            demo_remove()
        try:
            say = (lambda _: None) if quiet else self.stdout.write
            projects = demo_install(fetch_carry_out, say, beside=options["reset"])
        except NotEmpty:
            raise CommandError(
                "Something is tracked already; the demo is for an empty dashboard. "
                "To build it beside the others: manage.py demo --reset"
            ) from None
        if not quiet:
            self._tell(len(projects))

    def _ship(self, quiet: bool) -> None:
        # Somebody is looking at the first pages meanwhile; those go first.
        os.nice(10)
        try:
            say = (lambda _: None) if quiet else self.stdout.write
            count = shipping_first(lambda pk: run_carry_out(pk, worker_name()), say)
        except (NotShipped, DeployRefused) as problem:
            raise CommandError(str(problem)) from None
        if not quiet:
            self.stdout.write(f"{count} releases came out.")

    def _tell(self, count: int) -> None:
        self.stdout.write(f"The demo is ready: {count} projects.")
        for label, path in public_pages():
            self.stdout.write(f"{label}, for everybody: {settings.PUBLIC_URL}{path}")
        if not settings.DEMO_LOGINS_ALLOWED:
            self.stdout.write(f"HOST is {settings.HOST}, which others can reach: the demo's log-ins are switched off.")
            self.stdout.write("Make an account: manage.py account create NAME --role viewer --password-stdin")
        for login in logins_shown():
            self.stdout.write(f"  {login.username:<12}{login.password:<18}{login.role.label.lower()}")
