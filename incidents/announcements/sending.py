"""Handing one message over: by SMTP, or to a webhook. Nothing is stored here; what fails says why."""

from __future__ import annotations

import hashlib
import hmac
import json
import smtplib
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.mail import EmailMessage, get_connection

from releases.deploys.asking import NoAnswer, ask
from releases.projects.secrets import SecretUnreadable, decrypt

from .channels import hook_policy, targets_of
from .models import Channel, Message
from .wording import Words, as_slack, as_teams

TIMEOUT = 10.0
"""Seconds for one message."""


class NotSent(Exception):
    """It was not taken; the message is a sentence. `final`: trying again would not help."""

    def __init__(self, sentence: str, *, final: bool = False) -> None:
        super().__init__(sentence)
        self.final = final


def hand_over(message: Message) -> None:
    """Give one message to its channel. Raises NotSent.

    Every try carries the same identifier (Message-ID, X-Hotfixdash-Delivery): a receiver that got it, and whose answer
    was lost, knows the second one by it.
    """
    kind = message.channel.kind
    try:
        if kind in (Channel.Kind.EMAIL, Channel.Kind.SUBSCRIBERS):
            _mail(message)
        else:
            _post(message)
    except SecretUnreadable as error:
        raise NotSent(str(error)) from None


def delivery_id(message: Message) -> str:
    """Names this message for its receiver; the same for every try."""
    return f"hotfixdash-{message.channel_id}-{message.pk}"


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """What `X-Hotfixdash-Signature` carries: an HMAC-SHA-256 of the time, a dot, and the body."""
    return "sha256=" + hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def _mail(message: Message) -> None:
    if not message.recipient:
        raise NotSent("The addresses of this channel cannot be read: enter them again.")
    if not settings.EMAIL_HOST:
        raise NotSent("No mail server is set up: set EMAIL_HOST.")
    host = urlsplit(settings.PUBLIC_URL).hostname or "hotfixdash"
    headers = {"Message-ID": f"<{delivery_id(message)}@{host}>", "Auto-Submitted": "auto-generated"}
    leave = str(message.data.get("leave") or "")
    if leave:
        headers |= {"List-Unsubscribe": f"<{leave}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}
    mail = EmailMessage(message.subject, message.body, to=[message.recipient], headers=headers)
    try:
        mail.connection = get_connection(timeout=TIMEOUT)
        mail.send()
    except smtplib.SMTPRecipientsRefused as error:
        code, said = next(iter(error.recipients.values()), (0, b""))
        raise NotSent(f"The mail server refuses {message.recipient}: {_said(said)}", final=code >= 500) from None
    except smtplib.SMTPResponseException as error:
        raise NotSent(f"The mail server says {error.smtp_code}: {_said(error.smtp_error)}") from None
    except (smtplib.SMTPException, OSError, ValueError) as error:
        raise NotSent(f"The mail server cannot be used: {error}") from None


def _post(message: Message) -> None:
    body, headers = _posted(message)
    [url] = targets_of(message.channel)
    try:
        answered = ask(url, hook_policy(), timeout=TIMEOUT, headers=headers, body=body)
    except NoAnswer as error:
        raise NotSent(str(error)) from None
    if 200 <= answered.status < 300:
        return
    if 300 <= answered.status < 400:
        raise NotSent("It redirects to another address; enter that one.", final=True)
    said = _said(answered.body[:200])
    raise NotSent(f"It answered {answered.status}{': ' + said if said else ''}.", final=answered.status == 410)


def _posted(message: Message) -> tuple[bytes, Mapping[str, str]]:
    data: dict[str, Any] = message.data
    words = Words(message.subject, str(data.get("text", "")), str(data.get("link", "")), str(data.get("label", "Open")))
    headers = {"Content-Type": "application/json; charset=utf-8", "X-Hotfixdash-Delivery": delivery_id(message)}
    if message.channel.kind == Channel.Kind.SLACK:
        return _json(as_slack(words)), headers
    if message.channel.kind == Channel.Kind.TEAMS:
        return _json(as_teams(words)), headers
    body, now = _json(data), str(int(time.time()))
    headers["X-Hotfixdash-Timestamp"] = now
    headers["X-Hotfixdash-Signature"] = signature(decrypt(message.channel.secret), now, body)
    return body, headers


def _json(data: Mapping[str, Any]) -> bytes:
    return json.dumps(data, ensure_ascii=False, sort_keys=True).encode()


def _said(text: bytes | str) -> str:
    """What the other side said, short and on one line."""
    plain = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return " ".join("".join(char if char.isprintable() else " " for char in plain).split())[:160]
