"""`manage.py serve`: the whole dashboard in one terminal."""

from __future__ import annotations

import os
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connections

from hotfixdash.supervisor import prepare
from hotfixdash.supervisor.addresses import PortTaken
from hotfixdash.supervisor.broker import BrokerMissing, server_program
from hotfixdash.supervisor.console import Console
from hotfixdash.supervisor.lock import AlreadyRunning
from hotfixdash.supervisor.programs import Setup
from hotfixdash.supervisor.run import Supervisor
from hotfixdash.supervisor.sockets import UnsafeFolder


class Command(BaseCommand):
    """Broker, web, workers and beat, started and stopped in order."""

    help = "Start the web pages, the workers, the timer and (without REDIS_URL) the broker, and watch over them."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--track", metavar="REPO", default="", help="Track this repository (path or URL) at once.")
        parser.add_argument("--no-demo", action="store_true", help="Build no demo when nothing is tracked yet.")
        parser.add_argument("--no-prepare", action="store_true", help="Leave database and static files as they are.")

    def handle(self, *args: Any, **options: Any) -> None:
        console = Console()
        supervisor = Supervisor(self._setup(), settings.BASE_DIR, console)
        # The programs start in the project's folder: what was given relative to another one must mean the same there.
        os.environ["DATA_DIR"] = str(settings.DATA_DIR)

        def prepared() -> str:
            supervisor.news = self._prepare(console, options)
            greeting = prepare.greeting(supervisor.address)
            # The programs have connections of their own.
            connections.close_all()
            return greeting

        try:
            if settings.BROKER_EMBEDDED:
                server_program()
                if not settings.BROKER_SOCKET.is_relative_to(settings.DATA_DIR):
                    console.say(f"DATA_DIR is too long for a socket; the broker's lies at {settings.BROKER_SOCKET}.")
            supervisor.claim()
            code = supervisor.run(prepared)
        except (AlreadyRunning, PortTaken, BrokerMissing, UnsafeFolder) as problem:
            raise CommandError(str(problem)) from problem
        if code:
            raise SystemExit(code)

    def _setup(self) -> Setup:
        return Setup(
            host=settings.HOST,
            port=settings.PORT,
            redis_url=settings.REDIS_URL,
            socket=settings.BROKER_SOCKET,
            embedded=settings.BROKER_EMBEDDED,
            data_dir=settings.DATA_DIR,
            git_processes=settings.GIT_WORKER_PROCESSES,
            deploy_processes=settings.DEPLOY_WORKER_PROCESSES,
        )

    def _prepare(self, console: Console, options: dict[str, Any]) -> prepare.FirstLook | None:
        if not options["no_prepare"]:
            prepare.prepare_database(console)
            prepare.prepare_static()
        if options["track"]:
            return prepare.prepare_project(options["track"])
        if not options["no_demo"]:
            prepare.prepare_demo(console)
        return None
