"""Celery tasks of incidents: rows are the truth, tasks only nudge."""

from __future__ import annotations

from celery import shared_task
from django.db import transaction
from django.utils import timezone

from incidents.announcements.collecting import announcements_collect
from incidents.announcements.delivering import channel_deliver, channels_due, messages_lost
from incidents.response.reminders import incidents_remind
from incidents.status.services import recipients_of, subscribers_forget
from releases.projects.worker_names import worker_name
from releases.tasks.sending import NUDGE_LIVES, send


@shared_task(name="incidents.tasks.sweep")  # type: ignore[untyped-decorator]
def sweep() -> None:
    """Every few seconds: what happened becomes messages, what is due is sent, who is silent is reminded."""
    sweep_now()


@shared_task(name="incidents.tasks.announce")  # type: ignore[untyped-decorator]
def announce(project_pk: int) -> None:
    """Right after something happened in a project: it becomes messages, and they are on their way."""
    announcements_collect(recipients_of)
    channels_nudge()


@shared_task(name="incidents.tasks.deliver")  # type: ignore[untyped-decorator]
def deliver(channel_pk: int) -> None:
    """Send what this channel's turn has come for; then again, when there was more than one turn takes."""
    if channel_deliver(channel_pk, worker_name()):
        send(deliver, channel_pk, expires=NUDGE_LIVES)


def sweep_now() -> int:
    """One sweep, in this process; returns for how many channels something is due."""
    now = timezone.now()
    incidents_remind(now)
    messages_lost(now)
    subscribers_forget(now)
    announcements_collect(recipients_of)
    return channels_nudge()


def channels_nudge() -> int:
    """Send a task for each channel that has something due; without a broker it waits for the next sweep."""
    due = channels_due(timezone.now())
    for pk in due:
        send(deliver, pk, expires=NUDGE_LIVES)
    return len(due)


def announce_soon(project_pk: int) -> None:
    """For doors: what the transaction does is announced as soon as it commits, and by the sweep at the latest."""
    transaction.on_commit(lambda: send(announce, project_pk, expires=NUDGE_LIVES), robust=True)
