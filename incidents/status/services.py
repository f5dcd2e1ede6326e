"""Status pages and their subscribers: the only writers of both."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core import signing
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.utils import timezone

from incidents.announcements.models import Channel, Message
from incidents.announcements.topics import TOPICS
from incidents.announcements.wording import line
from incidents.response.errors import IncidentError
from incidents.response.models import Component, Incident
from releases.ledger.models import Event
from releases.ledger.services import event_write
from releases.policies.typed import typed
from releases.projects.models import Project

from .copies import copies
from .models import StatusPage, Subscriber

CONFIRM_WITHIN = timedelta(days=7)
ASK_AGAIN = timedelta(minutes=10)
"""An address is written to about a subscription at most this often, whoever asks."""
_SALT = "hotfixdash.status.subscriber"
_SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,59}\Z")
_OUTSIDE = [topic.key for topic in TOPICS if topic.outside]


def page_save(
    slug: str, title: str, visibility: str, projects: Sequence[Project], *, components: Iterable[Component] = (),
    says: str = "", page: StatusPage | None = None, actor: Any = None,
) -> StatusPage:  # fmt: skip
    """Make or change a status page. Raises IncidentError (field: slug, title, projects)."""
    row = page or StatusPage()
    was = row.slug if row.pk else ""
    row.slug = slug.strip()
    row.title = typed(" ".join(title.split()), "title", "The title", 120, error=IncidentError)
    row.says = typed(says, "says", "The line below it", 1_000, lines=True, required=False, error=IncidentError)
    row.visibility = StatusPage.Visibility(visibility)
    row.dirty_at = timezone.now()
    if not _SLUG.match(row.slug):
        raise IncidentError("slug", "Lower-case letters, digits and dashes, at most 60 of them.")
    if not projects:
        raise IncidentError("projects", "Choose what it is about.")
    chosen = [component for component in components if component.project_id in {project.pk for project in projects}]
    try:
        with transaction.atomic():
            row.save()
            row.projects.set(projects)
            row.components.set(chosen)
            _channel(row)
            _tell(row, "status.saved", actor, new=row.visibility)
            # Nobody may be served a copy of a page that is not public, or not here, from the moment this holds.
            transaction.on_commit(lambda: _forget({row.slug, was} - {""}))
    except IntegrityError:
        raise IncidentError("slug", f"There is a page {row.slug} already.", "taken") from None
    return row


def page_remove(page: StatusPage, actor: Any = None) -> None:
    """Take the page away, with its subscribers."""
    slug = page.slug
    with transaction.atomic():
        _tell(page, "status.removed", actor)
        Channel.objects.filter(page=page).delete()
        page.delete()
        transaction.on_commit(lambda: copies().forget(slug))


def subscriber_ask(
    page: StatusPage, email: str, *, components: Iterable[Component] = (), incident: Incident | None = None
) -> Subscriber | None:
    """Somebody asks to be written to, and gets a mail to confirm it.

    None when this address was written to a moment ago, or has confirmed; the caller says the same to everybody: who
    subscribed is nobody's business. Raises IncidentError (field: email).
    """
    address = email.strip()
    try:
        if not address.isprintable():
            raise ValidationError("It holds characters that nobody sees.")
        validate_email(address)
    except ValidationError:
        raise IncidentError("email", "That is not an e-mail address. It looks like you@company.com.") from None
    now = timezone.now()
    with transaction.atomic():
        known = Subscriber.objects.filter(page=page, email__iexact=address, incident=incident, left_at=None).first()
        if known is not None:
            if known.confirmed_at is not None or known.asked_at > now - ASK_AGAIN:
                return None
            Subscriber.objects.filter(pk=known.pk).update(asked_at=now)
            known.components.set(components)
            _ask_to_confirm(known)
            return known
        try:
            with transaction.atomic():
                fresh = Subscriber.objects.create(page=page, email=address, incident=incident, asked_at=now)
        except IntegrityError:
            return None  # The same address at the same moment: the other one is written to.
        fresh.components.set(components)
        _ask_to_confirm(fresh)
        return fresh


def subscriber_asked(token: str) -> bool:
    """Whether the link of a first mail still works."""
    pk = _read(token, "confirm", CONFIRM_WITHIN)
    return pk is not None and Subscriber.objects.filter(pk=pk, left_at=None).exists()


def subscriber_confirm(token: str) -> Subscriber | None:
    """Follow the link of the first mail; None when it is not ours, too old, or they have left since."""
    pk = _read(token, "confirm", CONFIRM_WITHIN)
    if pk is None:
        return None
    Subscriber.objects.filter(pk=pk, left_at=None, confirmed_at=None).update(confirmed_at=timezone.now())
    return Subscriber.objects.filter(pk=pk, left_at=None).select_related("page").first()


def subscriber_leave(token: str) -> StatusPage | None:
    """Follow the link below each mail; the page when it is ours, even if they had left already."""
    pk = _read(token, "leave", None)
    if pk is None:
        return None
    Subscriber.objects.filter(pk=pk, left_at=None).update(left_at=timezone.now())
    found = Subscriber.objects.select_related("page").filter(pk=pk).first()
    return found.page if found is not None else None


def subscribers_forget(now: Any) -> int:
    """Addresses that never confirmed, or left, are not kept; returns how many went."""
    unconfirmed = Subscriber.objects.filter(confirmed_at=None, asked_at__lt=now - CONFIRM_WITHIN)
    gone = Subscriber.objects.filter(left_at__lt=now - timedelta(days=30))
    return int(unconfirmed.delete()[0]) + int(gone.delete()[0])


def confirm_link(row: Subscriber) -> str:
    return f"{settings.PUBLIC_URL}/status/{row.page.slug}/confirm/{_token(row, 'confirm')}/"


def leave_link(row: Subscriber) -> str:
    return f"{settings.PUBLIC_URL}/status/{row.page.slug}/leave/{_token(row, 'leave')}/"


def recipients_of(channel: Channel, event: Event) -> list[tuple[str, str]]:
    """Who gets this row by mail, each with the link to leave: for collecting."""
    page = channel.page
    if page is None or page.visibility == StatusPage.Visibility.HIDDEN:
        return []
    if event.project_id is None or not page.projects.filter(pk=event.project_id).exists():
        return []
    key = event.subject.partition(":")[2]
    incident = Incident.objects.filter(number=key[4:]).first() if key.startswith("INC-") and key[4:].isdigit() else None
    hurt = set(incident.impacts.values_list("component", flat=True)) if incident else set()
    parts = set(page.components.values_list("pk", flat=True))
    if hurt and parts and not hurt & parts:
        # It is not on the page either.
        return []
    # Rows are looked at more than once: nobody gets what happened before they asked for it.
    rows = Subscriber.objects.filter(page=page, left_at=None, confirmed_at__lte=event.at)
    found: dict[str, str] = {}
    for row in rows.prefetch_related("components").select_related("page").order_by("pk"):
        chosen = {component.pk for component in row.components.all()}
        if row.incident_id is not None and (incident is None or row.incident_id != incident.pk):
            continue
        if chosen and not chosen & hurt:
            continue
        found.setdefault(row.email, leave_link(row))
    return list(found.items())


def _ask_to_confirm(row: Subscriber) -> None:
    """A mail in the outbox, like every other; the ledger tells that somebody asked, not who."""
    event = event_write("status.asked", actor_name="visitor", subject=f"status:{row.page.slug}")
    channel = Channel.objects.filter(page=row.page, kind=Channel.Kind.SUBSCRIBERS).first()
    if event is None or channel is None:
        return
    what = f"“{row.incident.title}”" if row.incident else row.page.title
    Message.objects.create(
        event=event, channel=channel, recipient=row.email, subject=line(f"Confirm: updates of {row.page.title}"),
        body=f"Somebody, probably you, asked for updates of {what} to this address.\n\n"
        f"Yes, send them: {confirm_link(row)}\n\nIf it was not you, do nothing: nothing more is sent.\n",
    )  # fmt: skip


def _forget(slugs: Iterable[str]) -> None:
    for slug in slugs:
        copies().forget(slug)


def _channel(page: StatusPage) -> None:
    """The page's subscribers are a channel of their own: what they get stands in the same outbox."""
    Channel.objects.update_or_create(
        page=page, kind=Channel.Kind.SUBSCRIBERS,
        defaults={"name": f"Subscribers of {page.slug}"[:80], "target": "", "kinds": _OUTSIDE, "internal": False},
    )  # fmt: skip


def _token(row: Subscriber, does: str) -> str:
    return signing.dumps([row.pk, does], salt=_SALT)


def _read(token: str, does: str, within: timedelta | None) -> int | None:
    try:
        pk, what = signing.loads(token, salt=_SALT, max_age=within)
    except (signing.BadSignature, ValueError, TypeError):
        return None
    return int(pk) if what == does else None


def _tell(page: StatusPage, kind: str, actor: Any, new: str = "") -> None:
    event_write(
        kind, actor=actor, actor_name="" if actor else "operator", subject=f"status:{page.slug}", new=new,
        why=f"{page.title} at /status/{page.slug}/.",
    )  # fmt: skip
