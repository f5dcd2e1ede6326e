"""`manage.py hotfix`: open, list, show and adopt tickets without the web."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser

from releases.hotfixes.adopting import hotfix_adopt
from releases.hotfixes.errors import HotfixError
from releases.hotfixes.listing import SEGMENTS, SHOWS, stages_of, untracked
from releases.hotfixes.models import Hotfix
from releases.hotfixes.services import hotfix_open
from releases.ledger.models import Event
from releases.policies.wording import harmless

from .project import find_project

MOST = 200
"""Rows that a list shows."""


class Command(BaseCommand):
    """open, list, show, adopt."""

    help = "Open and list hotfixes, show where one stands, and give a ticket to a branch or tag that has none."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
        opening = actions.add_parser("open", help="Open a ticket.")
        opening.add_argument("project", metavar="N")
        opening.add_argument("key", metavar="KEY", help="TICKET-1234, by the project's own pattern.")
        opening.add_argument("title", metavar="TITLE")
        opening.add_argument("--impact", default="", metavar="TEXT", help="In plain words: who is hurt, and how.")
        opening.add_argument("--severity", type=int, choices=(1, 2, 3, 4), default=2, help="1 is the worst (2).")
        opening.add_argument("--owner", metavar="NAME", help="Who carries it through.")
        listing = actions.add_parser("list", help="Hotfixes with their stage and what they owe.")
        listing.add_argument("--project", metavar="N", help="Of this project only.")
        listing.add_argument("--show", choices=SHOWS, default="open", help="Which ones (open).")
        show = actions.add_parser("show", help="One hotfix: its stages, its branch and tag, its last events.")
        show.add_argument("project", metavar="N")
        show.add_argument("key", metavar="KEY")
        adopt = actions.add_parser("adopt", help="Give a ticket to a branch or a patch tag that has none.")
        adopt.add_argument("project", metavar="N")
        adopt.add_argument("ref", metavar="BRANCH|TAG")
        adopt.add_argument("--key", default="", metavar="KEY", help="Its ticket, when its name does not say.")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            getattr(self, f"_{options['action']}")(options)
        except HotfixError as refused:
            where = f"{refused.field}: " if refused.field else ""
            raise CommandError(harmless(f"{where}{refused}")) from refused

    def _open(self, options: dict[str, Any]) -> None:
        hotfix = hotfix_open(
            find_project(options["project"]), options["key"], options["title"],
            impact=options["impact"], severity=options["severity"], owner=find_person(options["owner"]),
        )  # fmt: skip
        self._say(f"{hotfix.key} is open; it is at {hotfix.get_stage_display().lower()}.")

    def _list(self, options: dict[str, Any]) -> None:
        project = find_project(options["project"]) if options["project"] else None
        found = Hotfix.objects.select_related("project", "owner")
        chosen = (found.filter(project=project) if project else found).filter(SEGMENTS[options["show"]])
        rows = list(chosen[:MOST])
        for row in rows:
            owed = f"owed to {row.owed_count}" if row.owed_count else ""
            owner = row.owner.get_username() if row.owner else "nobody"
            state = row.closed or row.get_stage_display().lower()
            self._say(row.project.slug, row.key, f"SEV{row.severity}", state, owed, owner, row.title)
        loose = untracked(project, limit=MOST) if project else []
        for stray in loose:
            self._say(stray.project.slug, f"no ticket: {stray.kind} {stray.name}", stray.key, stray.title)
        if not rows and not loose:
            self._say("No hotfix.")

    def _show(self, options: dict[str, Any]) -> None:
        project = find_project(options["project"])
        hotfix = Hotfix.objects.filter(project=project, key__iexact=options["key"]).first()
        if hotfix is None:
            raise CommandError(harmless(f"{project.slug} has no hotfix {options['key'][:80]}."))
        self._say(f"{hotfix.key}: {hotfix.title}")
        if hotfix.closed:
            self._say(f"{hotfix.closed}: {hotfix.closed_why}")
        for name in ("branch", "base_tag", "head", "tag"):
            if value := getattr(hotfix, name):
                self._say(f"  {name.replace('_', ' '):9} {value}")
        for stage in stages_of(hotfix.stages):
            at = f"{datetime.fromtimestamp(stage.at, UTC):%Y-%m-%d %H:%M}" if stage.at else ""
            self._say(f"  {stage.key.label:12} {stage.state.value:8} {at:16}  {stage.detail}".rstrip())
        events = Event.objects.filter(project=project, subject=f"hotfix:{hotfix.key}")[:10]
        for event in events:
            self._say(f"  {event.at:%Y-%m-%d %H:%M} {event.actor_name}: {event.why}")

    def _adopt(self, options: dict[str, Any]) -> None:
        hotfix = hotfix_adopt(find_project(options["project"]), options["ref"], key=options["key"])
        self._say(f"{options['ref']} belongs to {hotfix.key} now; it is at {hotfix.get_stage_display().lower()}.")

    def _say(self, *parts: str) -> None:
        self.stdout.write("\t".join(map(harmless, parts)))


def find_person(name: str | None) -> Any:
    """Whoever has this user name; None when none is given. Raises `CommandError`."""
    if not name:
        return None
    person = get_user_model().objects.filter(username=name, is_active=True).first()
    if person is None:
        raise CommandError(harmless(f"Nobody has the user name {name[:80]}."))
    return person
