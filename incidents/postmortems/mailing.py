"""Mails to owners, through the outbox: a post-mortem is theirs to write, or it or an action item of theirs is late."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth import get_user_model

from incidents.announcements.models import Channel
from releases.ledger.models import Event

from .models import PostMortem

NAME = "Owners of post-mortems and action items"
TOPICS = ["postmortem-opened", "postmortem-due", "action-overdue"]


def owners_channel() -> Channel:
    """The one channel whose recipients are whoever a row is about. It is made when it is first needed."""
    channel, _ = Channel.objects.get_or_create(
        name=NAME, defaults={"kind": Channel.Kind.SUBSCRIBERS, "internal": True, "kinds": TOPICS}
    )
    return channel


def owners_of(channel: Channel, event: Event) -> list[tuple[str, str]]:
    """Who gets this row by mail; nobody while no mail server is set up, or when the person is gone."""
    if channel.name != NAME or channel.page_id is not None or not settings.EMAIL_HOST:
        return []
    address = event.new if event.kind == "action.overdue" else _owner(event)
    people = get_user_model().objects.filter(email__iexact=address, is_active=True) if address else None
    return [(address, "")] if people is not None and people.exists() else []


def _owner(event: Event) -> str:
    number = event.subject.removeprefix("postmortem:PM-")
    if not number.isascii() or not number.isdigit():
        return ""
    row = PostMortem.objects.filter(number=int(number)).select_related("owner").first()
    return row.owner.email if row is not None else ""
