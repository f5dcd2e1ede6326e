"""kill -9 in the middle of a delivery: real mail and HTTP servers get each message once, in order, whatever died.

The worker is a process of its own that stops at one exact point (tests/incidents/halting.py) and is killed there. What
a receiver had taken when the worker died before noting it comes again with the same name, and only that: nobody can
know.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from incidents.announcements.channels import channel_save
from incidents.announcements.collecting import announcements_collect
from incidents.announcements.delivering import channel_deliver, messages_lost
from incidents.announcements.models import Channel, Message
from incidents.response.services import incident_declare
from releases.projects.worker_names import worker_name
from tests.factories import make_project
from tests.incidents.receivers import Inbox, Mailbox, http_receiver, smtp_server
from tests.plugins.real import program_environment

from .halting import POINTS

pytestmark = pytest.mark.django_db(transaction=True)
TITLES = ["One", "Two", "Three"]


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with smtp_server() as box:
        yield box


@pytest.fixture
def inbox(settings: Any) -> Iterator[Inbox]:
    settings.GIT_ALLOW_PRIVATE_HOSTS = ["127.0.0.1"]
    with http_receiver() as box:
        yield box


def declared(channel: Channel) -> None:
    """Three incidents, announced there."""
    project = make_project("shop")
    for title in TITLES:
        incident_declare(project, title)
    announcements_collect()
    assert channel.messages.count() == len(TITLES)


def killed_at(point: str, number: int, channel: Channel, folder: Path, mailbox: Mailbox | None = None) -> None:
    """Deliver in a process of its own, which is killed when it reaches the point with message `number`."""
    flag = folder / "reached"
    environment = program_environment() | {"GIT_ALLOW_PRIVATE_HOSTS": "127.0.0.1"}
    if mailbox is not None:
        environment |= {"EMAIL_HOST": "127.0.0.1", "EMAIL_PORT": str(mailbox.port), "EMAIL_TLS": "off"}
    command = [sys.executable, "-W", "ignore", "-m", "tests.incidents.halting", point, str(flag), str(number)]
    with open(folder / "log", "ab") as log:
        process = subprocess.Popen([*command, str(channel.pk)], env=environment, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 90
        while not flag.exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        assert flag.exists(), (folder / "log").read_text()[-2000:]
        assert int(flag.read_text()) == process.pid
    finally:
        process.kill()
        process.wait()
    with pytest.raises(ProcessLookupError):
        os.kill(process.pid, 0)
    flag.unlink()


def taken_over(channel: Channel) -> None:
    """Another worker goes on, once the dead one has been silent for long enough."""
    Message.objects.filter(state="sending").update(heartbeat_at=timezone.now() - timedelta(minutes=5))
    messages_lost(timezone.now())
    channel_deliver(channel.pk, worker_name())


@pytest.mark.sample(1)
@pytest.mark.parametrize("point", POINTS)
def test_a_webhook_gets_each_once_and_in_order(point: str, inbox: Inbox, tmp_path: Path) -> None:
    channel = channel_save("hook", "webhook", inbox.url, ["incident-declared"])
    declared(channel)
    killed_at(point, 2, channel, tmp_path)
    before = [post.headers["x-hotfixdash-delivery"] for post in inbox.posts]
    assert len(before) == {"before it is claimed": 1, "before it is sent": 1}.get(point, 2)
    taken_over(channel)
    names = [post.headers["x-hotfixdash-delivery"] for post in inbox.posts]
    again = point == "after it was taken"
    assert len(names) == len(TITLES) + again
    assert list(dict.fromkeys(names)) == [f"hotfixdash-{channel.pk}-{pk}" for pk in sorted(ids(channel))]
    assert names[1] == names[2] if again else len(set(names)) == len(names)
    assert set(channel.messages.values_list("state", flat=True)) == {"sent"}


@pytest.mark.parametrize(
    "point",
    [point if point == "after it was taken" else pytest.param(point, marks=pytest.mark.long) for point in POINTS],
)
def test_mail_comes_once_and_in_order(point: str, mailbox: Mailbox, tmp_path: Path, settings: Any) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_USE_TLS = "127.0.0.1", mailbox.port, False
    channel = channel_save("team", "email", "team@example.com", ["incident-declared"])
    declared(channel)
    killed_at(point, 2, channel, tmp_path, mailbox)
    taken_over(channel)
    names = [mail["Message-ID"] for mail in mailbox.mails]
    assert len(names) == len(TITLES) + (point == "after it was taken")
    subjects = list(dict.fromkeys(str(mail["Subject"]) for mail in mailbox.mails))
    assert subjects == [f"SEV2 incident: {title}" for title in TITLES]
    assert len(set(names)) == len(TITLES)


@pytest.mark.long
def test_a_worker_killed_again_and_again_loses_nothing(inbox: Inbox, tmp_path: Path) -> None:
    channel = channel_save("hook", "webhook", inbox.url, ["incident-declared"])
    declared(channel)
    for _ in TITLES:
        killed_at("before it is sent", 1, channel, tmp_path)
        Message.objects.filter(state="sending").update(heartbeat_at=timezone.now() - timedelta(minutes=5))
        assert messages_lost(timezone.now()) == 1
    assert inbox.posts == []
    taken_over(channel)
    assert len({post.headers["x-hotfixdash-delivery"] for post in inbox.posts}) == len(inbox.posts) == len(TITLES)


def test_a_dead_worker_on_one_channel_delays_no_other(inbox: Inbox, tmp_path: Path) -> None:
    first = channel_save("first", "webhook", inbox.url, ["incident-declared"])
    second = channel_save("second", "webhook", inbox.url, ["incident-declared"])
    declared(first)
    killed_at("before it is sent", 1, first, tmp_path)
    channel_deliver(second.pk, worker_name())
    assert set(second.messages.values_list("state", flat=True)) == {"sent"}
    assert len(inbox.posts) == len(TITLES)


def ids(channel: Channel) -> list[int]:
    return list(channel.messages.values_list("pk", flat=True))
