"""E-mail to those who may approve a deployment and asked to be written to: once for each request."""

from __future__ import annotations

import logging
import smtplib
from datetime import datetime, timedelta

from django.conf import settings
from django.core.cache import cache
from django.core.mail import EmailMessage, get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.db.models import Q, QuerySet
from django.utils import timezone

from hotfixdash.accounts.models import User
from releases.policies.wording import count, harmless
from releases.projects.models import Project

from .delta import Delta, delta_of, summary
from .freezing import zone_of
from .inbox import allowed_there, asking
from .makers import makers_of
from .models import Run
from .risks import risks_of
from .voices import quorum

log = logging.getLogger(__name__)

PAUSE = timedelta(minutes=1)
"""After the mail server could not be reached, it is not asked again for this long."""
_PAUSED = "deploys:mail-paused"
_FAILS = (smtplib.SMTPException, OSError, ValueError)


def mails_due(now: datetime | None = None) -> list[int]:
    """Requests that nobody was written about yet; none while e-mail is not set up, or its server was just away."""
    if not settings.EMAIL_HOST:
        return []
    due = list(_unmailed(now or timezone.now()).values_list("pk", flat=True)[:100])
    return due if due and not cache.get(_PAUSED) else []


def _unmailed(now: datetime) -> QuerySet[Run]:
    asked = Run.objects.filter(state=Run.State.ASKED, mailed_at=None).filter(Q(expires_at=None) | Q(expires_at__gt=now))
    return asked.order_by("pk")


def approvers_mail(run_pk: int, page: str, account: str, now: datetime | None = None) -> int:
    """Write to everybody who may approve this request and wants to be told; how many were.

    `page` and `account` are the addresses of the request and of the person's own page. A request is taken before the
    first message leaves, so that nobody is written to twice; when the server cannot be reached at all it is given back.
    """
    now = now or timezone.now()
    if not _unmailed(now).filter(pk=run_pk).update(mailed_at=now):
        return 0
    run = next((run for run in asking([_project_of(run_pk)], now) if run.pk == run_pk), None)
    people = approvers_of(run) if run is not None else []
    if run is None or not people:
        return 0
    connection = get_connection(timeout=settings.EMAIL_TIMEOUT)
    try:
        connection.open()
    except _FAILS as error:
        log.warning("nobody could be written to about run %s: %s", run_pk, error)
        cache.set(_PAUSED, 1, PAUSE.total_seconds())
        Run.objects.filter(pk=run_pk, mailed_at=now).update(mailed_at=None)
        return 0
    try:
        subject, body = words(run, page, account)
        return sum(_sent(connection, person, subject, body) for person in people)
    finally:
        connection.close()


def approvers_of(run: Run) -> list[User]:
    """Everybody who may approve this request now, and asked to be written to; read by `asking`."""
    wanted = User.objects.filter(mail_approvals=True, is_active=True).exclude(email="").prefetch_related("groups")
    rightful = [person for person in wanted.order_by("pk") if allowed_there(person, run)]
    if not rightful:
        return []
    makers = makers_of([run])[run.pk]
    return [
        person
        for person in rightful
        if not makers.own(person) and Project.objects.seen_by(person).filter(pk=run.project_id).exists()
    ]


def _project_of(run_pk: int) -> int:
    return Run.objects.values_list("project_id", flat=True).get(pk=run_pk)


def _sent(connection: BaseEmailBackend, person: User, subject: str, body: str) -> bool:
    mail = EmailMessage(subject, body, to=[person.email], connection=connection)
    mail.extra_headers = {"Auto-Submitted": "auto-generated"}
    try:
        return bool(connection.send_messages([mail]))
    except _FAILS as error:
        log.warning("%s could not be written to: %s", person.get_username(), error)
        return False


def words(run: Run, page: str, account: str) -> tuple[str, str]:
    """Subject and text of the message. Names from a repository are made harmless first."""
    place = run.environment.name if run.environment else ""
    delta, said = delta_of(run), quorum(run)
    what = harmless(f"{run.project.name} {run.tag} to {place}")
    lines = [
        f"{_who(run)} to bring {what}.",
        "",
        f"What would change: {summary(delta)}",
        f"Measured from: {harmless(delta.base.says)}",
        *_tickets(delta),
        *_worries(run, delta),
        f"Approvals: {len(said.given)} of {said.needed}",
        *_until(run),
        "",
        "Look at it and decide:",
        page,
        "",
        "You get this because your account asks for it. Change that here:",
        account,
    ]
    return f"Waits for your approval: {what}", "\n".join(lines) + "\n"


def _who(run: Run) -> str:
    if run.asked_by is None:
        return "The dashboard asks"
    return f"{harmless(run.asked_by.get_full_name() or run.asked_by.get_username())} asks"


def _tickets(delta: Delta) -> list[str]:
    return [f"Tickets: {harmless(', '.join(delta.tickets[:10]))}"] if delta.tickets else []


def _worries(run: Run, delta: Delta) -> list[str]:
    found = [risk for risk in risks_of(run, delta) if risk.worries]
    if not found:
        return ["Risk signals: none needs a look"]
    shown = [f"  {risk.title}: {harmless(risk.says)}" for risk in found]
    return [f"Risk signals, {count(len(found), 'needs a look', 'need a look')}:", *shown]


def _until(run: Run) -> list[str]:
    if run.expires_at is None or run.environment is None:
        return []
    zone = zone_of(run.environment)
    return [f"Expires: {run.expires_at.astimezone(zone):%-d %b %Y, %H:%M} ({zone.key})"]
