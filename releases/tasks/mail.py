"""E-mail to those who may approve a deployment."""

from __future__ import annotations

from celery import shared_task
from django.conf import settings
from django.db import transaction
from django.urls import reverse

from releases.deploys.mailing import approvers_mail, mails_due, mails_lost
from releases.deploys.models import Run

from .sending import NUDGE_LIVES, send


@shared_task(name="releases.tasks.mail_approvers")  # type: ignore[untyped-decorator]
def mail_approvers(run_pk: int) -> None:
    """Write about one request to those who were not written to yet."""
    run = Run.objects.select_related("project").filter(pk=run_pk).first()
    if run is not None:
        page = reverse("releases:approval", args=[run.project.slug, run.pk])
        approvers_mail(run_pk, f"{settings.PUBLIC_URL}{page}", f"{settings.PUBLIC_URL}{reverse('account')}")


def mails_nudge(run_pk: int) -> None:
    """Once the transaction commits, write about this request without waiting for the sweep. For doors."""
    transaction.on_commit(lambda: send(mail_approvers, run_pk, expires=NUDGE_LIVES) and None)


def mails_sweep() -> int:
    """Send a task for each request about which somebody is to be written to; how many could be sent."""
    mails_lost()
    return sum(send(mail_approvers, pk, expires=NUDGE_LIVES) for pk in mails_due())
