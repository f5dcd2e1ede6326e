"""`manage.py incident`: declare one, say something about it, resolve it, list them, without the web."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime, time
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from incidents.response.errors import IncidentError
from incidents.response.facts import warnings
from incidents.response.models import Component, Health, Incident, Severity
from incidents.response.services import incident_declare, incident_say
from incidents.tasks import announce_soon
from releases.hotfixes.models import Hotfix
from releases.management.commands.hotfix import find_person
from releases.management.commands.project import find_project
from releases.policies.wording import harmless
from releases.projects.models import Project

HEALTHS = {"maintenance": Health.MAINTENANCE, "degraded": Health.DEGRADED, "partial": Health.PARTIAL,
           "down": Health.DOWN}  # fmt: skip
_KEY = re.compile(r"(?:INC-)?([0-9]{1,9})\Z", re.IGNORECASE)
_WHEN = "2026-11-19T09:41, or 09:41 for today, in the dashboard's time zone."
MOST = 200
"""Rows that a list shows."""


class Command(BaseCommand):
    """declare, update, resolve, list."""

    help = "Declare an incident, say something about it, resolve it; list those that are open."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
        _declare_arguments(actions.add_parser("declare", help="Declare an incident."))
        update = actions.add_parser("update", help="Say something about it, which may lead to another state.")
        _say_arguments(update)
        update.add_argument("--state", choices=Incident.State.values, default="", help="Which it leads to.")
        update.add_argument("--why", default="", metavar="TEXT", help="Why it is open again, when it was resolved.")
        _say_arguments(actions.add_parser("resolve", help="Say that it is over."))
        listing = actions.add_parser("list", help="Open incidents.")
        listing.add_argument("--project", metavar="N", help="Of this project only.")
        listing.add_argument("--all", action="store_true", help="Those that are over, too.")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            getattr(self, f"_{options['action']}")(options)
        except IncidentError as refused:
            where = f"{refused.field}: " if refused.field else ""
            raise CommandError(harmless(f"{where}{refused}")) from refused

    def _declare(self, options: dict[str, Any]) -> None:
        project = find_project(options["project"])
        made = incident_declare(
            project, options["title"], severity=options["severity"], impact=options["impact"], text=options["say"],
            public=not options["internal"], hurt=_hurt(project, options["hurts"]), chat_url=options["chat"],
            started_at=_moment(options["started"]), detected_at=_moment(options["detected"]),
            lead=find_person(options["lead"]), hotfix=_hotfix(project, options["hotfix"]),
            actor=find_person(options["by"]),
        )  # fmt: skip
        announce_soon(project.pk)
        self._say(f"{made.key} is declared: {settings.PUBLIC_URL}/incidents/{made.key}/")

    def _update(self, options: dict[str, Any]) -> None:
        incident = _incident(options["incident"])
        if options["state"] == Incident.State.RESOLVED:
            self._warn(incident)
        incident_say(
            incident, options["text"], state=options["state"], public=incident.public and not options["internal"],
            at=_moment(options["at"]), why=options.get("why", ""), actor=find_person(options["by"]),
        )  # fmt: skip
        announce_soon(incident.project_id)
        self._say(f"{incident.key} is {incident.get_state_display().lower()}.")

    def _resolve(self, options: dict[str, Any]) -> None:
        self._update(options | {"state": Incident.State.RESOLVED})

    def _list(self, options: dict[str, Any]) -> None:
        rows = Incident.objects.select_related("project", "lead").filter(drill=None)
        if options["project"]:
            rows = rows.filter(project=find_project(options["project"]))
        if not options["all"]:
            rows = rows.exclude(state=Incident.State.RESOLVED)
        found = list(rows[:MOST])
        for row in found:
            lead = row.lead.get_username() if row.lead else "nobody"
            self._say(row.key, row.project.slug, f"SEV{row.severity}", row.state, lead, row.title)
        if not found:
            self._say("No incident." if options["all"] else "No open incident.")

    def _warn(self, incident: Incident) -> None:
        for text in warnings(incident, list(incident.hotfixes.all())):
            self.stderr.write(harmless(text))

    def _say(self, *parts: str) -> None:
        self.stdout.write("\t".join(map(harmless, parts)))


def _declare_arguments(parser: CommandParser) -> None:
    add: Callable[..., Any] = parser.add_argument
    add("project", metavar="N")
    add("title", metavar="TITLE", help="What is wrong, as users see it.")
    add("--severity", type=int, choices=Severity.values, default=2, help="1 is the worst (2).")
    add("--say", default="", metavar="TEXT", help="The first public word.")
    add("--impact", default="", metavar="TEXT", help="In plain words: who is hurt, and how.")
    add("--hurts", action="append", default=[], metavar="COMPONENT=STATE",
        help=f"How a component fares: {', '.join(HEALTHS)}. May stand more than once.")  # fmt: skip
    add("--internal", action="store_true", help="On no status page, told to colleagues only.")
    add("--started", metavar="WHEN", help=_WHEN)
    add("--detected", metavar="WHEN", help="When it was noticed, in the same form.")
    add("--lead", metavar="NAME", help="Incident lead.")
    add("--chat", default="", metavar="URL", help="The chat channel of this incident.")
    add("--hotfix", metavar="KEY", help="The hotfix that is to mend it.")
    add("--by", metavar="NAME", help="Who declares it; the ledger says so (operator).")


def _say_arguments(parser: CommandParser) -> None:
    parser.add_argument("incident", metavar="INC-58")
    parser.add_argument("text", metavar="TEXT")
    parser.add_argument("--internal", action="store_true", help="For colleagues only.")
    parser.add_argument("--at", metavar="WHEN", help=f"When it was said: {_WHEN}")
    parser.add_argument("--by", metavar="NAME", help="Who says it; the ledger says so (operator).")


def _incident(key: str) -> Incident:
    found = _KEY.match(key)
    incident = Incident.objects.filter(number=int(found[1])).first() if found else None
    if incident is None:
        raise CommandError(harmless(f"There is no incident {key[:80]}."))
    return incident


def _hotfix(project: Project, key: str | None) -> Hotfix | None:
    if not key:
        return None
    hotfix = Hotfix.objects.filter(project=project, key__iexact=key).first()
    if hotfix is None:
        raise CommandError(harmless(f"{project.slug} has no hotfix {key[:80]}."))
    return hotfix


def _hurt(project: Project, told: list[str]) -> dict[Component, int]:
    known = {row.name.casefold(): row for row in Component.objects.filter(project=project, retired_at=None)}
    found: dict[Component, int] = {}
    for text in told:
        name, _, state = text.rpartition("=")
        row = known.get(name.strip().casefold())
        if row is None:
            names = ", ".join(row.name for row in known.values()) or "none yet"
            raise CommandError(harmless(f"hurts: {project.slug} has no component {name[:80]!r}. It has: {names}."))
        if state not in HEALTHS:
            raise CommandError(harmless(f"hurts: {state[:40]!r} is none of {', '.join(HEALTHS)}."))
        found[row] = HEALTHS[state]
    return found


def _moment(text: str | None) -> datetime | None:
    if not text:
        return None
    try:
        at = datetime.combine(_today(), time.fromisoformat(text)) if len(text) <= 8 else datetime.fromisoformat(text)
    except ValueError:
        raise CommandError(harmless(f"{text[:40]!r} is no time. Write {_WHEN}")) from None
    return at if at.tzinfo else timezone.make_aware(at, timezone.get_default_timezone())


def _today() -> date:
    return timezone.localtime(timezone=timezone.get_default_timezone()).date()
