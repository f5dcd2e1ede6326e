"""Hotfixes of the demo: opened, answered and reviewed through the services, so that facts alone drive their stages.

What people said long before the demo was built is dated back; the ledger tells when the dashboard learned of it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.db import transaction
from django.utils import timezone

from releases.hotfixes.adopting import hotfix_adopt
from releases.hotfixes.models import Hotfix, Review
from releases.hotfixes.observing import hotfixes_observe
from releases.hotfixes.services import hotfix_choose_way, hotfix_open, hotfix_review, hotfix_triage
from releases.hotfixes.triage import Answer
from releases.policies.models import Verdict
from releases.policies.settling import settle_waive
from releases.projects.models import Project, Ref

HURTS = {
    "critical": "Customers lose money or cannot pay.",
    "production": "Only the live shop sends real requests.",
    "no_workaround": "Support can do nothing for them.",
}
WAITS = HURTS | {"no_workaround": "Support can correct it by hand until the next release."}


class People:
    """The demo's log-ins by the part they play; None where log-ins are not made."""

    def __init__(self) -> None:
        found = {user.get_username(): user for user in get_user_model().objects.filter(is_demo=True)}
        self.lead: Any = found.get("manager")
        self.engineer: Any = found.get("engineer")
        self.reviewer: Any = found.get("admin")


def tickets_make(project: Project) -> None:
    """Open this project's hotfixes, all or none; a project that has any is left alone."""
    story = _STORIES.get(project.name)
    if story is None or Hotfix.objects.filter(project=project).exists():
        return
    with transaction.atomic():
        story(project, People())
        hotfixes_observe(project)


def _answers(reasons: dict[str, str], *, no: str = "") -> dict[str, Answer]:
    return {key: Answer(key != no, why) for key, why in reasons.items()}


def _seen(project: Project, branch: str, ago: timedelta) -> None:
    """As if somebody had looked when the branch was cut; before anybody opens its ticket, which reads that."""
    Ref.objects.filter(project=project, name=f"refs/heads/{branch}").update(first_seen_at=timezone.now() - ago)


def _dated_back(hotfix: Hotfix, opened: timedelta, triaged: timedelta, reviewed: timedelta | None = None) -> None:
    """As if it had been opened, triaged and reviewed so long ago; then look again."""
    now = timezone.now()
    Hotfix.objects.filter(pk=hotfix.pk).update(created_at=now - opened, triaged_at=now - triaged)
    if reviewed is not None:
        Review.objects.filter(hotfix=hotfix).update(at=now - reviewed)
    hotfixes_observe(hotfix.project, only=(hotfix.pk,))


def _checkout(project: Project, people: People) -> None:
    """The card timeout: live, reviewed, and owed to develop; and a waiver that ends within the week."""
    _seen(project, "hotfix/TICKET-1234", timedelta(hours=3, minutes=31))
    hotfix = hotfix_open(
        project, "TICKET-1234", "Send 3-D Secure timeout in milliseconds", severity=2, owner=people.engineer,
        impact="Some card payments are declined: the bank takes our timeout of 30 for 30 milliseconds.",
        actor=people.lead,
    )  # fmt: skip
    hotfix_triage(hotfix, _answers(HURTS), people.lead)
    hotfix_choose_way(hotfix, Hotfix.Way.CUT, "develop holds half of 1.3; only this may ship today.", people.lead)
    hotfix.refresh_from_db()
    if people.reviewer is not None and hotfix.commits:
        hotfix_review(hotfix, Review.Says.APPROVE, "Small and tested. Go.", hotfix.head, people.reviewer)
    _dated_back(
        hotfix, timedelta(hours=3, minutes=40), timedelta(hours=3, minutes=34), timedelta(hours=2, minutes=42)
    )  # fmt: skip
    waived = Verdict.objects.filter(project=project, fix__ticket="TICKET-1176", target__branch="support/1.1").first()
    if waived is not None:
        reason = "Shops on 1.1 run one process; the lock only slows them down."
        settle_waive(waived, reason, timezone.now() + timedelta(days=5), people.lead)


def _ledger(project: Project, people: People) -> None:
    """One with a branch and a review to come; one that conflicts with develop."""
    _seen(project, "hotfix/TICKET-1241", timedelta(minutes=60))
    hotfix = hotfix_open(
        project, "TICKET-1241", "Keep the currency when splitting a payout", severity=2, owner=people.engineer,
        impact="Payouts in yen arrive with cents that do not exist; the bank sends them back.", actor=people.lead,
    )  # fmt: skip
    hotfix_triage(hotfix, _answers(HURTS), people.lead)
    hotfix_choose_way(hotfix, Hotfix.Way.CUT, "develop waits for the new periods.", people.lead)
    _dated_back(hotfix, timedelta(minutes=75), timedelta(minutes=70))
    hotfix_adopt(project, "v3.8.3", people.lead)


def _invoices(project: Project, people: People) -> None:
    """One just opened: triage waits; and one that is live and was taken back on develop."""
    hotfix_open(
        project, "TICKET-1247", "Credit notes show the total twice", severity=3, owner=people.lead,
        actor=people.engineer,
    )  # fmt: skip
    live = hotfix_adopt(project, "v2.9.3", people.lead)
    Hotfix.objects.filter(pk=live.pk).update(created_at=timezone.now() - timedelta(days=9, hours=5))


def _identity(project: Project, people: People) -> None:
    """Triage sent it to the next regular release."""
    hotfix = hotfix_open(
        project, "TICKET-1239", "Sort sessions by last use", severity=4, owner=people.engineer, actor=people.engineer
    )  # fmt: skip
    hotfix_triage(hotfix, _answers(WAITS, no="no_workaround"), people.lead)


def _mobile(project: Project, people: People) -> None:
    """Answered: the way out is to be chosen."""
    hotfix = hotfix_open(
        project, "TICKET-1244", "Time out avatar look-ups after 2 seconds", severity=3, owner=people.engineer,
        impact="The app freezes for everybody whose avatar server is slow.", actor=people.engineer,
    )  # fmt: skip
    hotfix_triage(hotfix, _answers(HURTS), people.lead)


_STORIES: dict[str, Callable[[Project, People], None]] = {
    "checkout-api": _checkout,
    "ledger": _ledger,
    "invoice-web": _invoices,
    "identity": _identity,
    "mobile-bff": _mobile,
}
