"""From ledger rows to messages: one for each row, channel and recipient, whatever happens in between."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from releases.hotfixes.models import Hotfix
from releases.ledger.models import Event
from releases.projects.secrets import SecretUnreadable

from .channels import targets_of
from .models import Channel, Cursor, Message
from .topics import KINDS, Topic, may_leave, topic_of
from .wording import About, as_data, as_text, words_of

MOST = 500
"""Rows that one look takes on."""
LOOK_BACK = timedelta(minutes=10)
"""Transactions do not end in the order in which they began: rows this young are looked at again."""
STALE = timedelta(hours=24)
"""What is older is not announced any more: a dashboard that was off for a week does not tell of it all at once."""

UPDATE = "incident-update"
_LED_TO = ("incident-over", "incident-reopened")
"""What an update can lead to."""

Recipients = Callable[[Channel, Event], Iterable[tuple[str, str]]]
"""Who gets a row on a channel of subscribers: address, and the link by which they leave."""


def announcements_collect(subscribers: Recipients | None = None) -> list[int]:
    """Make the messages of what happened since the last look; returns the channels that have something to send."""
    cursor, _ = Cursor.objects.get_or_create(name="announcements", defaults={"position": _start()})
    young = Event.objects.filter(at__gte=timezone.now() - LOOK_BACK).order_by("pk").values_list("pk", flat=True).first()
    since = min(cursor.position, (young or cursor.position + 1) - 1)
    rows = list(Event.objects.filter(pk__gt=since, kind__in=KINDS).select_related("project").order_by("pk")[:MOST])
    touched: set[int] = set()
    channels = list(Channel.objects.select_related("page").prefetch_related("projects"))
    # Young rows are looked at again and again: what they were made into is not made anew each time.
    made = set(Message.objects.filter(event__in=rows).values_list("event", "channel").distinct())
    for event in rows:
        topic = topic_of(event)
        if topic is not None and event.at > timezone.now() - STALE and not _in_drill(event):
            fresh = [channel for channel in channels if (event.pk, channel.pk) not in made]
            touched |= _announce(event, topic, fresh, subscribers)
    if rows and rows[-1].pk > cursor.position:
        Cursor.objects.filter(pk=cursor.pk, position=cursor.position).update(position=rows[-1].pk)
    return sorted(touched)


def _in_drill(event: Event) -> bool:
    """Nothing of a drill is told to anybody: neither what its copy went through, nor what is said about it."""
    return bool(event.evidence.get("drill")) or (event.project is not None and event.project.is_drill)


def _start() -> int:
    """Where the first look begins: a new installation does not announce its past."""
    newest = Event.objects.order_by("-pk").values_list("pk", flat=True).first()
    return newest or 0


def _announce(event: Event, topic: Topic, channels: Sequence[Channel], subscribers: Recipients | None) -> set[int]:
    wanted = [channel for channel in channels if _wants(channel, topic, event)]
    if not wanted:
        return set()
    about = about_of(event, topic)
    rank = severity_of(event, about)
    fact = {
        "id": f"event-{event.pk}", "topic": topic.key, "at": event.at.isoformat(), "project": about.project,
        "thing": about.thing, "title": about.title, "severity": about.severity, "state": about.state, "tag": about.tag,
    }  # fmt: skip
    touched = set()
    for channel in wanted:
        if rank is not None and rank > channel.worst:
            continue
        words = words_of(_as_told_to(channel, about))
        messages = [
            Message(
                event=event, channel=channel, recipient=recipient, subject=words.subject,
                body=as_text(words) + (f"\n-- \nYou asked for these mails. To get no more: {leave}\n" if leave else ""),
                data=as_data(words, fact) | {"label": words.label} | ({"leave": leave} if leave else {}),
            )
            for recipient, leave in _recipients(channel, event, subscribers)
        ]  # fmt: skip
        with transaction.atomic():
            Message.objects.bulk_create(messages, ignore_conflicts=True)
        if messages:
            touched.add(channel.pk)
    return touched


def _wants(channel: Channel, topic: Topic, event: Event) -> bool:
    if topic.key not in channel.kinds or event.at < channel.made_at:
        return False
    if not channel.internal and not may_leave(topic, event):
        return False
    if topic.key in _LED_TO and UPDATE in channel.kinds and _has_words(channel, event):
        return False
    chosen = {project.pk for project in channel.projects.all()}
    return not chosen or event.project_id in chosen


def _has_words(channel: Channel, event: Event) -> bool:
    """The update that led to this state goes to the channel as well: it says the same in its author's words."""
    return "said_outside" in event.evidence and (channel.internal or bool(event.evidence["said_outside"]))


def _as_told_to(channel: Channel, about: About) -> About:
    """Outside nobody reads why it was opened again, and a page's subscribers go on to that page."""
    if not channel.internal and about.topic == "incident-reopened":
        about = replace(about, why="")
    if channel.kind == Channel.Kind.SUBSCRIBERS and channel.page is not None:
        part = f"#{about.thing}" if about.topic.startswith("incident-") else ""
        about = replace(about, link=f"{settings.PUBLIC_URL}/status/{channel.page.slug}/{part}")
    return about


def _recipients(channel: Channel, event: Event, subscribers: Recipients | None) -> list[tuple[str, str]]:
    if channel.kind == Channel.Kind.SUBSCRIBERS:
        return list(subscribers(channel, event)) if subscribers else []
    if channel.kind != Channel.Kind.EMAIL:
        return [("", "")]
    try:
        return [(address, "") for address in targets_of(channel)]
    except SecretUnreadable:
        # It is shown as a fault of the channel; the message waits for it under no address.
        return [("", "")]


def about_of(event: Event, topic: Topic) -> About:
    """What the words are made of. One query at most."""
    project = event.project.name if event.project else ""
    thing = event.subject.partition(":")[2]
    title, severity = str(event.evidence.get("title") or ""), event.evidence.get("severity")
    if event.subject.startswith("hotfix:"):
        hotfix = Hotfix.objects.filter(project=event.project_id, key__iexact=thing).first()
        title, severity = (hotfix.title, hotfix.severity) if hotfix else (thing, severity)
    return About(
        topic=topic.key, project=project, thing=thing, title=title or thing, why=event.why,
        severity=f"SEV{severity}" if severity else "", tag=str(event.evidence.get("tag") or ""), who=event.actor_name,
        state=str(event.evidence.get("state") or event.new), link=link_of(event),
    )  # fmt: skip


def severity_of(event: Event, about: About) -> int | None:
    """1 to 4; None when the row has none and goes to every channel that wants it."""
    return int(about.severity[3:]) if about.severity else None


def link_of(event: Event) -> str:
    """Where a reader goes on: the page of what the row is about."""
    kind, _, thing = event.subject.partition(":")
    slug = event.project.slug if event.project else ""
    paths = {
        "hotfix": f"/projects/{slug}/hotfixes/{thing}/", "incident": f"/incidents/{thing}/",
        "run": f"/projects/{slug}/deploys/{thing}/", "release": f"/projects/{slug}/releases/{thing}/",
        "postmortem": f"/postmortems/{thing}/",
    }  # fmt: skip
    return f"{settings.PUBLIC_URL}{paths.get(kind, f'/projects/{slug}/' if slug else '/')}"
