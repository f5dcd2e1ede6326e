"""`manage.py alive`: health checks of the programs that have no port."""

from __future__ import annotations

import socket
import time
from pathlib import Path
from typing import Any

import redis
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from hotfixdash import heartbeat

BEAT_WRITES_WITHIN = 400.0
"""Seconds: the timer writes its schedule down every three minutes."""


class Command(BaseCommand):
    """Exit code 0 when the program lives, 1 when it does not."""

    help = "Say whether this machine's worker, or the timer, is alive."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        which = parser.add_mutually_exclusive_group(required=True)
        which.add_argument("--worker", metavar="QUEUE", help="A worker of this machine that takes tasks from QUEUE.")
        which.add_argument("--beat", action="store_true", help="The timer.")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["beat"]:
            self._beat()
        else:
            self._worker(options["worker"])

    def _worker(self, queue: str) -> None:
        try:
            with heartbeat.client() as broker:
                seen = heartbeat.beats(broker)
        except (redis.RedisError, OSError) as problem:
            raise CommandError("The broker does not answer.") from problem
        here = f"@{socket.gethostname()}"
        mine = [beat for beat in seen if queue in beat.queues and beat.worker.endswith(here)]
        if not mine:
            raise CommandError(f"No worker of this machine has shown itself for {queue}.")
        self.stdout.write(f"{mine[0].worker}, {mine[0].age_seconds:.0f} s ago")

    def _beat(self) -> None:
        written = [path.stat().st_mtime for path in Path(settings.DATA_DIR, "run").glob("beat-schedule*")]
        age = time.time() - max(written, default=0.0)
        if age > BEAT_WRITES_WITHIN:
            raise CommandError("The timer has not written its schedule lately.")
        self.stdout.write(f"beat, {age:.0f} s ago")
