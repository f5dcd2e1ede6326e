"""E-mail to those who may approve a deployment and asked to be written to: one for each person and request.

Rows say what is owed: a row for each person is written in the transaction that marks the request as told, and every
mail is claimed, sent and marked by itself. What a worker was sending when it was killed is sent again, under the same
Message-ID; what the server does not take is tried again, ever more seldom, for as long as the request waits for them.
"""

from __future__ import annotations

import logging
import smtplib
from collections.abc import Sequence
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from hotfixdash.accounts.models import User
from releases import live
from releases.projects.models import Project
from releases.projects.services.leases import Beats, silent
from releases.projects.worker_names import worker_name

from .inbox import allowed_there, asking
from .mail_words import words
from .makers import makers_of
from .models import ApprovalMail, Run

log = logging.getLogger(__name__)

BACK_OFF = (10, 30, 120, 600, 1800, 3600)
"""Seconds until the next try, after the first, the second …; the last one again and again, while the request waits."""
MOST = 100
"""Requests that one look takes up."""
_FAILS = (smtplib.SMTPException, OSError, ValueError)
State = ApprovalMail.State


def mails_due(now: datetime | None = None) -> list[int]:
    """Requests about which somebody is to be written to now; none while e-mail is not set up."""
    if not settings.EMAIL_HOST:
        return []
    now = now or timezone.now()
    fresh = _open(now).filter(mailed_at=None).values_list("pk", flat=True)[:MOST]
    again = _due(now).filter(run__in=_open(now)).values_list("run_id", flat=True).distinct()[:MOST]
    return sorted({*fresh, *again})


def mails_lost(now: datetime | None = None) -> int:
    """Put back what a worker was sending when it went away, and let go of what nobody waits for; how many came back."""
    now = now or timezone.now()
    ApprovalMail.objects.filter(state=State.DUE).exclude(run__in=_open(now)).update(state=State.DROPPED)
    found = 0
    for mail in ApprovalMail.objects.filter(state=State.SENDING):
        if silent(mail, now):
            found += _mine(mail).update(
                state=State.DUE, due_at=now, error="The worker stopped while it was being sent."
            )
    return found


def approvers_mail(run_pk: int, page: str, account: str, now: datetime | None = None) -> int:
    """Write to everybody who may approve this request, wants to be told and was not yet; how many were.

    `page` and `account` are the addresses of the request and of the person's own page.
    """
    now = now or timezone.now()
    run = next((run for run in asking([_project_of(run_pk)], now) if run.pk == run_pk), None)
    if run is None:
        return 0
    _rows_make(run, now)
    due = list(_due(now).filter(run=run).select_related("person"))
    if not due:
        return 0
    unknown = makers_of([run])[run.pk].unknown
    if unknown:
        # Who wrote it cannot be told now, so nobody may approve it now; perhaps later.
        return _later([mail for mail in due if _claim(mail, now)], unknown, now)
    rightful = {person.pk for person in approvers_of(run)}
    over = [mail.pk for mail in due if mail.person_id not in rightful]
    ApprovalMail.objects.filter(pk__in=over, state=State.DUE).update(state=State.DROPPED)
    sent = _send_all(run, [mail for mail in due if mail.pk not in over], words(run, page, account), now)
    live.publish(live.project_topic(run.project_id))
    return sent


def approvers_of(run: Run) -> list[User]:
    """Everybody who may approve this request now, and asked to be written to; read by `asking`."""
    rightful = _rightful(run)
    makers = makers_of([run])[run.pk] if rightful else None
    return [person for person in rightful if makers is not None and not makers.own(person)]


def _rightful(run: Run) -> list[User]:
    """The same, whoever made it."""
    wanted = User.objects.filter(mail_approvals=True, is_active=True).exclude(email="").prefetch_related("groups")
    return [
        person
        for person in wanted.order_by("pk")
        if allowed_there(person, run) and Project.objects.seen_by(person).filter(pk=run.project_id).exists()
    ]


# --- rows -----------------------------------------------------------------------------------------------------------


def _open(now: datetime) -> QuerySet[Run]:
    """Requests that still wait for people."""
    asked = Run.objects.filter(state=Run.State.ASKED).filter(Q(expires_at=None) | Q(expires_at__gt=now))
    return asked.order_by("pk")


def _due(now: datetime) -> QuerySet[ApprovalMail]:
    return ApprovalMail.objects.filter(state=State.DUE, due_at__lte=now)


def _rows_make(run: Run, now: datetime) -> None:
    """Write down who is to be told, once for each request: all of them or, when this process dies, none yet."""
    if run.mailed_at is not None:
        return
    people = _rightful(run)
    with transaction.atomic():
        if Run.objects.filter(pk=run.pk, mailed_at=None).update(mailed_at=now):
            ApprovalMail.objects.bulk_create(
                [ApprovalMail(run=run, person=person, due_at=now) for person in people], ignore_conflicts=True
            )


def _claim(mail: ApprovalMail, now: datetime) -> bool:
    """Take it; False when somebody else has it."""
    taken = ApprovalMail.objects.filter(pk=mail.pk, state=State.DUE, fence=mail.fence).update(
        state=State.SENDING, fence=F("fence") + 1, attempts=F("attempts") + 1, worker=worker_name(), heartbeat_at=now
    )
    if taken:
        mail.refresh_from_db(fields=["state", "fence", "attempts", "worker", "heartbeat_at"])
    return bool(taken)


def _mine(mail: ApprovalMail) -> QuerySet[ApprovalMail]:
    return ApprovalMail.objects.filter(pk=mail.pk, fence=mail.fence, state=State.SENDING)


def _later(mails: Sequence[ApprovalMail], why: str, now: datetime) -> int:
    """Try them again after a while; none was sent."""
    for mail in mails:
        wait = timedelta(seconds=BACK_OFF[min(mail.attempts, len(BACK_OFF)) - 1])
        _mine(mail).update(state=State.DUE, due_at=now + wait, error=why)
        log.warning("run %s: the mail to user %s waits: %s", mail.run_id, mail.person_id, why)
    return 0


def _project_of(run_pk: int) -> int:
    return Run.objects.values_list("project_id", flat=True).get(pk=run_pk)


# --- sending --------------------------------------------------------------------------------------------------------


def _send_all(run: Run, mails: Sequence[ApprovalMail], said: tuple[str, str], now: datetime) -> int:
    """Send them over one connection; how many were taken."""
    mine = [mail for mail in mails if _claim(mail, now)]
    if not mine:
        return 0
    connection = get_connection(timeout=settings.EMAIL_TIMEOUT)

    def beat() -> bool:
        held = ApprovalMail.objects.filter(run=run, state=State.SENDING, worker=worker_name())
        return bool(held.update(heartbeat_at=timezone.now()))

    with Beats(beat, f"heartbeat-mails-{run.pk}"):
        try:
            connection.open()
        except _FAILS as error:
            return _later(mine, f"The mail server cannot be used: {error}", now)
        try:
            return sum(_sent(connection, mail, said, now) for mail in mine)
        finally:
            connection.close()


def _sent(connection: BaseEmailBackend, mail: ApprovalMail, said: tuple[str, str], now: datetime) -> bool:
    """Hand one over, and write down what became of it."""
    host = urlsplit(settings.PUBLIC_URL).hostname or "hotfixdash"
    headers = {"Message-ID": f"<approval-{mail.run_id}-{mail.person_id}@{host}>", "Auto-Submitted": "auto-generated"}
    message = EmailMessage(*said, to=[mail.person.email], connection=connection, headers=headers)
    try:
        taken = bool(connection.send_messages([message]))
    except smtplib.SMTPRecipientsRefused as error:
        code, text = next(iter(error.recipients.values()), (0, b""))
        return _refused(mail, code, text, now)
    except _FAILS as error:
        return bool(_later([mail], f"The mail server did not take it: {error}", now))
    if not taken:
        return bool(_later([mail], "The mail server did not take it.", now))
    return bool(_mine(mail).update(state=State.SENT, sent_at=timezone.now(), error=""))


def _refused(mail: ApprovalMail, code: int, text: bytes | str, now: datetime) -> bool:
    """The server does not take mail for this address: for good when it says so, else for now."""
    plain = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    why = f"The mail server refuses the address ({code}): {' '.join(plain.split())[:160]}"
    if code < 500:
        return bool(_later([mail], why, now))
    _mine(mail).update(state=State.FAILED, error=why)
    log.warning("run %s: user %s cannot be written to: %s", mail.run_id, mail.person_id, why)
    return False
