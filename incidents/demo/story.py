"""The demo's incidents, and the status page on which people outside follow them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, time, timedelta

from django.db import transaction
from django.utils import timezone

from incidents.response.components import component_save, maintenance_plan
from incidents.response.models import Component, Health, Incident
from incidents.response.services import incident_declare, incident_say
from incidents.status.models import StatusPage
from incidents.status.services import page_save
from releases.demo.tickets import People
from releases.hotfixes.models import Hotfix
from releases.hotfixes.stages import StageKey
from releases.projects.models import Project

from .learned import learn, reached

SLUG = "demo"
OPEN, OVER = "TICKET-1241", "TICKET-1192"
"""The hotfix that is under way, and the one that is live."""
COMPONENTS = {
    "invoice-web": (
        ("Invoices", "Invoices and credit notes, as PDF files."),
        ("Reminders", "Mails about invoices that are not paid yet."),
    ),
    "ledger": (
        ("Bank payouts", "Money on its way to your bank."),
        ("Balances", "What your account holds, and its statements."),
    ),
}
"""By project, what people outside know by name."""
Named = Mapping[str, Component]


def story_tell(projects: Sequence[Project]) -> None:
    """Tell of both incidents, all or nothing; a demo in which there is any of this already is left alone."""
    mine = {project.name: project for project in projects if project.name in COMPONENTS}
    told = Incident.objects.filter(project__in=mine.values()).exists()
    if told or Component.objects.filter(project__in=mine.values()).exists():
        return
    people = People()
    with transaction.atomic():
        named = _components(mine, people)
        _over(mine, named, people)
        _open(mine, named, people)
        _outside(list(mine.values()), named, people)


def pages() -> list[tuple[str, str]]:
    """The status page, as long as everybody may see it."""
    there = StatusPage.objects.filter(slug=SLUG, visibility=StatusPage.Visibility.PUBLIC, projects__isnull=False)
    return [("Status page", f"/status/{SLUG}/")] if there.exists() else []


def _components(mine: Mapping[str, Project], people: People) -> dict[str, Component]:
    return {
        name: component_save(project, name, says=says, order=order, actor=people.lead)
        for slug, project in mine.items()
        for order, (name, says) in enumerate(COMPONENTS[slug])
    }


def _open(mine: Mapping[str, Project], named: Named, people: People) -> None:
    """Its hotfix is written and waits for a review."""
    hotfix = Hotfix.objects.filter(project=mine.get("ledger"), key=OPEN).first()
    written = reached(hotfix, StageKey.FIX)
    if hotfix is None or written is None:
        return
    opened = min(hotfix.created_at, written - timedelta(minutes=40))
    incident = incident_declare(
        hotfix.project, "Some payouts in yen are sent back by the bank", severity=hotfix.severity,
        impact="Payouts in yen that are split between several accounts come back. No money is lost: it stays in the "
        "balance until the payout is sent again.",
        hurt={named["Bank payouts"]: Health.PARTIAL, named["Balances"]: Health.DEGRADED},
        text="Some payouts in yen are sent back by the bank. We are looking into it, and will write again within the "
        "hour.",
        detected_at=opened - timedelta(minutes=6), hotfix=hotfix, chat_url="https://chat.example.org/inc-yen-payouts",
        lead=people.lead, actor=people.lead, at=opened + timedelta(minutes=2),
    )  # fmt: skip
    incident_say(
        incident, "Only split payouts come back: the shares carry cents, and yen have none. The next batch is held "
        "until the fix is live; the other currencies go out as ever.",
        public=False, at=opened + timedelta(minutes=24), actor=people.engineer,
    )  # fmt: skip
    incident_say(
        incident, "We found the cause: the shares of a split payout were sent with decimals that yen do not have. The "
        "fix is written and is being checked. We will write again when it goes live.",
        state=Incident.State.IDENTIFIED, at=written + timedelta(minutes=4), actor=people.lead,
    )  # fmt: skip


def _over(mine: Mapping[str, Project], named: Named, people: People) -> None:
    """Its hotfix is live; that develop took it over and back again is what its post-mortem is about."""
    hotfix = Hotfix.objects.filter(project=mine.get("invoice-web"), key=OVER).first()
    written, live = reached(hotfix, StageKey.FIX), reached(hotfix, StageKey.PRODUCTION)
    if hotfix is None or written is None or live is None:
        return
    incident = incident_declare(
        hotfix.project, "Some invoices were printed with parts of the address missing", severity=hotfix.severity,
        impact="Invoices for customers whose name holds characters such as < or &. Amounts and numbers were right.",
        hurt={named["Invoices"]: Health.DEGRADED},
        text="Some invoices are printed with parts of the address missing. We are looking into it.",
        detected_at=written - timedelta(minutes=70), hotfix=hotfix, lead=people.lead, actor=people.lead,
        at=written - timedelta(minutes=61),
    )  # fmt: skip
    _said_until_it_was_over(incident, written, live, people)
    learn(incident, hotfix, live, people)


def _said_until_it_was_over(incident: Incident, written: datetime, live: datetime, people: People) -> None:
    incident_say(
        incident, "Names go into the file as markup. A customer named “<b>Tea</b> House” shows it on a test system.",
        public=False, at=written - timedelta(minutes=35), actor=people.engineer,
    )  # fmt: skip
    words = (
        ("identified", written + timedelta(minutes=6),
         "We found the cause: some characters of a name were read as part of the layout. A fix is on its way."),
        ("monitoring", live + timedelta(minutes=5),
         "The fix is live. New invoices show every name as it is written. We keep watching."),
        ("resolved", live + timedelta(minutes=50),
         "This is over. Invoices that were made meanwhile can be downloaded again, and are complete now."),
    )  # fmt: skip
    for state, at, text in words:
        incident_say(incident, text, state=state, at=at, actor=people.lead)


def _outside(projects: list[Project], named: Named, people: People) -> None:
    """The page, with work that is planned; a page at this address that is somebody else's is left alone."""
    page = StatusPage.objects.filter(slug=SLUG).first()
    if not projects or (page is not None and page.projects.exists()):
        return
    ledger = next((project for project in projects if project.name == "ledger"), None)
    if ledger is not None:
        day = timezone.localdate() + timedelta(days=2)
        begin = timezone.make_aware(datetime.combine(day, time(22, 0)))
        maintenance_plan(
            ledger, "New storage for statements", begin, begin + timedelta(minutes=90),
            text="Statements cannot be opened for a few minutes. Payouts go out as ever.",
            components=[named["Balances"]], actor=people.lead,
        )  # fmt: skip
    page_save(
        SLUG, "Demo shop", StatusPage.Visibility.PUBLIC, projects, components=named.values(), page=page,
        says="Invoices and payouts of the demo, as its customers see them.", actor=people.reviewer,
    )  # fmt: skip
