"""Channels: where announcements go. Addresses and signing secrets are kept encrypted and never shown again whole."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.utils import timezone

from releases.git.errors import GitError
from releases.git.remotes import RemotePolicy
from releases.ledger.services import event_write
from releases.policies.typed import typed
from releases.projects.models import Project
from releases.projects.secrets import SecretUnreadable, decrypt, encrypt
from releases.projects.services.projects import remote_policy

from .errors import ChannelError
from .models import Channel
from .topics import BY_KEY

MOST_ADDRESSES = 50
_HOOKS = (Channel.Kind.SLACK, Channel.Kind.TEAMS, Channel.Kind.WEBHOOK)


def channel_save(
    name: str, kind: str, target: str, topics: Sequence[str], *, worst: int = 4, internal: bool = True,
    projects: Iterable[Project] = (), channel: Channel | None = None, actor: Any = None,
) -> Channel:  # fmt: skip
    """Make or change a channel; an empty `target` leaves the stored one as it is. Raises ChannelError.

    A signed webhook gets a secret when it has none; `channel_secret` shows it once.
    """
    row = channel or Channel(made_by=actor)
    row.name, row.kind = _name(name), Channel.Kind(kind)
    row.kinds = _topics(topics)
    if worst not in (1, 2, 3, 4):
        raise ChannelError("worst", "Choose a severity.")
    row.worst, row.internal = worst, internal
    if target.strip():
        row.target = encrypt("\n".join(_targets(row.kind, target)))
    elif not row.target:
        raise ChannelError("target", "Say where it goes.")
    if row.kind == Channel.Kind.WEBHOOK and not row.secret:
        row.secret = encrypt(secrets.token_urlsafe(32))
    try:
        with transaction.atomic():
            fresh = row.pk is None
            row.save()
            row.projects.set(projects)
            _tell(row, "channel.added" if fresh else "channel.changed", actor)
    except IntegrityError:
        raise ChannelError("name", f"There is a channel {row.name} already.") from None
    return row


def channel_pause(channel: Channel, paused: bool, actor: Any = None) -> None:
    """Stop sending, or go on; what comes meanwhile waits and is sent afterwards."""
    with transaction.atomic():
        changed = Channel.objects.filter(pk=channel.pk, paused_at__isnull=paused).update(
            paused_at=timezone.now() if paused else None
        )
        if changed:
            _tell(channel, "channel.paused" if paused else "channel.resumed", actor)
    channel.refresh_from_db()


def channel_remove(channel: Channel, actor: Any = None) -> None:
    """Take it away, with what it has not sent yet."""
    with transaction.atomic():
        _tell(channel, "channel.removed", actor)
        channel.delete()


def channel_secret(channel: Channel) -> str:
    """What signs its deliveries, for the one time that it is shown."""
    return decrypt(channel.secret) if channel.secret else ""


def targets_of(channel: Channel) -> list[str]:
    """Its addresses. Raises SecretUnreadable when SECRET_KEY changed since they were stored."""
    return [line for line in decrypt(channel.target).splitlines() if line] if channel.target else []


def shown_target(channel: Channel) -> str:
    """Enough of its address to recognise it: a webhook's address is as good as a password."""
    try:
        targets = targets_of(channel)
    except SecretUnreadable as error:
        return str(error)
    if channel.kind == Channel.Kind.EMAIL:
        return ", ".join(targets)
    return ", ".join(f"{urlsplit(target).scheme}://{urlsplit(target).hostname}/…" for target in targets)


def hook_policy() -> RemotePolicy:
    """Where webhooks may go: the same hosts as remotes, private ones only when the administrator allows them."""
    return remote_policy()


def _targets(kind: str, text: str) -> list[str]:
    lines = list(dict.fromkeys(line.strip() for line in text.replace(",", "\n").splitlines() if line.strip()))
    if kind == Channel.Kind.EMAIL:
        return [_address(line) for line in lines[: MOST_ADDRESSES + 1]] if _few(lines) else lines
    if kind in _HOOKS:
        if len(lines) != 1:
            raise ChannelError("target", "A webhook has one address.")
        return [_hook(lines[0])]
    return lines


def _few(lines: Sequence[str]) -> bool:
    if len(lines) > MOST_ADDRESSES:
        raise ChannelError("target", f"At most {MOST_ADDRESSES} addresses; use a mailing list for more.")
    return True


def _address(text: str) -> str:
    try:
        if not text.isprintable():
            raise ValidationError("It holds characters that nobody sees.")
        validate_email(text)
    except ValidationError:
        raise ChannelError("target", f"“{text[:80]}” is not an e-mail address.") from None
    return text


def _hook(url: str) -> str:
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        raise ChannelError("target", "That is not an address of a webhook.") from None
    if parts.scheme not in ("https", "http") or not host or parts.username is not None or len(url) > 2000:
        raise ChannelError("target", "A webhook's address begins with https:// and holds no user name.")
    try:
        hook_policy().check_host(host, parts.scheme)
    except GitError as error:
        raise ChannelError("target", error.sentence) from None
    return url


def _name(text: str) -> str:
    return typed(" ".join(text.split()), "name", "The name", 80, error=ChannelError)


def _topics(topics: Sequence[str]) -> list[str]:
    unknown = set(topics) - set(BY_KEY)
    if unknown or not topics:
        raise ChannelError("kinds", "Choose what is announced there.")
    return [key for key in BY_KEY if key in topics]


def _tell(channel: Channel, kind: str, actor: Any) -> None:
    """A ledger row; never with the address."""
    why = f"{channel.get_kind_display()}: {channel.name}."
    event_write(kind, actor=actor, actor_name="" if actor else "operator", subject=f"channel:{channel.name}", why=why)
