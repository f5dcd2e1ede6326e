"""`manage.py prepare`: what must be done once before the programs of an installation start."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from hotfixdash.supervisor.console import Console
from hotfixdash.supervisor.prepare import prepare_database, prepare_static


class Command(BaseCommand):
    """Tables and static files; `manage.py serve` does it by itself."""

    help = "Bring the database's tables up to date and collect the static files."

    def handle(self, *args: Any, **options: Any) -> None:
        prepare_database(Console())
        prepare_static()
        self.stdout.write("Ready to start.")
