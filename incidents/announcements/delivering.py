"""Sending what waits, in the order of each channel; a channel that is down holds up nobody else."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils import timezone

from releases import live
from releases.ledger.services import event_write
from releases.projects.services.leases import Beats, silent

from .models import Channel, Message
from .sending import NotSent, hand_over

BACK_OFF = (10, 30, 120, 600, 1800, 3600)
"""Seconds until the next try, after the first, the second …; the last one again and again."""
MOST_TRIES = 30
"""After about a day it is given up, visibly; a person can send it again."""
SECONDS = 20.0
"""So long one task sends for one channel; then others get their turn."""
TOPIC = "announcements"
_OPEN = (Message.State.WAITING, Message.State.SENDING)


def channels_due(now: datetime) -> list[int]:
    """Channels that have a message whose turn it is."""
    return list(_due(now).values_list("channel_id", flat=True).distinct())


def channel_deliver(channel_pk: int, worker: str) -> bool:
    """Send what this channel's turn has come for; True when more waits that could go at once."""
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        message = _claim(channel_pk, worker)
        if message is None:
            return False
        _deliver(message)
    return _due(timezone.now()).filter(channel=channel_pk).exists()


def messages_lost(now: datetime) -> int:
    """Put back what a worker was sending when it died; returns how many."""
    found = 0
    for message in Message.objects.filter(state=Message.State.SENDING):
        if silent(message, now):
            mine = Message.objects.filter(pk=message.pk, fence=message.fence, state=Message.State.SENDING)
            found += mine.update(
                state=Message.State.WAITING, due_at=now, error="The worker stopped while it was being sent."
            )
    return found


def message_again(message: Message, actor: Any = None) -> bool:
    """A person wants it sent again: what was given up, or waits for its next try; False when it is on its way."""
    with transaction.atomic():
        again = Message.objects.filter(pk=message.pk, state__in=(Message.State.FAILED, Message.State.WAITING))
        if not again.update(state=Message.State.WAITING, due_at=timezone.now(), attempts=0):
            return False
        event_write(
            "announcement.again", project_id=message.event.project_id, actor=actor,
            actor_name="" if actor else "operator", subject=f"channel:{message.channel.name}", why=message.subject,
        )  # fmt: skip
    live.publish(TOPIC)
    return True


def _due(now: datetime) -> QuerySet[Message]:
    """Messages that may go now: nothing before them to the same recipient of the same channel is open."""
    before = Message.objects.filter(
        channel=OuterRef("channel"), recipient=OuterRef("recipient"), pk__lt=OuterRef("pk"), state__in=_OPEN
    )
    return Message.objects.filter(
        ~Exists(before), state=Message.State.WAITING, due_at__lte=now, channel__paused_at=None
    )


def _claim(channel_pk: int, worker: str) -> Message | None:
    """Take the next message that is due; None when there is none."""
    now = timezone.now()
    for message in _due(now).filter(channel=channel_pk).order_by("pk")[:20]:
        taken = Message.objects.filter(pk=message.pk, state=Message.State.WAITING, fence=message.fence).update(
            state=Message.State.SENDING, fence=F("fence") + 1, attempts=F("attempts") + 1, worker=worker,
            heartbeat_at=now,
        )  # fmt: skip
        if taken:
            return Message.objects.select_related("channel", "event").get(pk=message.pk)
    return None


def _deliver(message: Message) -> None:
    def beat() -> bool:
        return bool(_mine(message).update(heartbeat_at=timezone.now()))

    try:
        with Beats(beat, f"heartbeat-message-{message.pk}"):
            hand_over(message)
    except NotSent as problem:
        _failed(message, str(problem), final=problem.final)
        return
    _mine(message).update(state=Message.State.SENT, sent_at=timezone.now(), error="")
    live.publish(TOPIC)


def _failed(message: Message, why: str, *, final: bool) -> None:
    """Try again later, or give up; what waits behind it on the channel goes on only when it is given up."""
    over = final or message.attempts >= MOST_TRIES
    wait = timedelta(seconds=BACK_OFF[min(message.attempts, len(BACK_OFF)) - 1])
    with transaction.atomic():
        state = Message.State.FAILED if over else Message.State.WAITING
        if not _mine(message).update(state=state, due_at=timezone.now() + wait, error=why):
            return
        if over:
            event_write(
                "announcement.failed", project_id=message.event.project_id, actor_name="worker",
                subject=f"channel:{message.channel.name}", why=f"“{message.subject}” was not sent: {why}",
            )  # fmt: skip
    live.publish(TOPIC)


def _mine(message: Message) -> QuerySet[Message]:
    return Message.objects.filter(pk=message.pk, fence=message.fence, state=Message.State.SENDING)


def troubles() -> QuerySet[Channel]:
    """Channels whose oldest open message has failed at least once, for the page and the overview."""
    failing = Message.objects.filter(channel=OuterRef("pk")).filter(
        Q(state=Message.State.WAITING, attempts__gt=0) | Q(state=Message.State.FAILED)
    )
    return Channel.objects.filter(Exists(failing))
