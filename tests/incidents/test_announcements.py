"""What is announced, to whom, in which words, exactly once and in order, by real mail and HTTP servers."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from incidents.announcements import delivering
from incidents.announcements.channels import channel_pause, channel_save, channel_secret, shown_target
from incidents.announcements.collecting import announcements_collect
from incidents.announcements.delivering import channel_deliver, channels_due, message_again, messages_lost
from incidents.announcements.errors import ChannelError
from incidents.announcements.models import Channel, Message
from incidents.announcements.sending import delivery_id
from incidents.announcements.topics import BY_KEY, USUAL
from incidents.announcements.wording import line
from incidents.response.models import Incident
from incidents.response.services import incident_declare, incident_say
from releases.ledger.models import Event
from releases.ledger.services import event_write
from releases.projects.models import Project
from releases.projects.worker_names import worker_name
from tests.factories import make_project, make_user
from tests.incidents.making import make_hotfix
from tests.incidents.receivers import Inbox, Mailbox, http_receiver, smtp_server

pytestmark = pytest.mark.django_db


@pytest.fixture
def mailbox(settings: Any) -> Iterator[Mailbox]:
    with smtp_server() as box:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_USE_TLS = "127.0.0.1", box.port, False
        yield box


@pytest.fixture
def inbox(settings: Any) -> Iterator[Inbox]:
    settings.GIT_ALLOW_PRIVATE_HOSTS = ["127.0.0.1"]
    with http_receiver() as box:
        yield box


@pytest.fixture
def project() -> Project:
    announcements_collect()
    return make_project("shop")


def mail_channel(*topics: str, **fields: Any) -> Channel:
    return channel_save("team", "email", "team@example.com", topics or USUAL, **fields)


def hook_channel(url: str, kind: str = "webhook", **fields: Any) -> Channel:
    return channel_save(f"the {kind}", kind, url, list(BY_KEY), **fields)


def send_all(channel: Channel) -> None:
    """As the worker does it, with the waits taken away."""
    announcements_collect()
    Message.objects.filter(state="waiting").update(due_at=timezone.now())
    channel_deliver(channel.pk, worker_name())


def stage(project: Project, key: str, target: str, new: str = "done") -> Event:
    event = event_write(
        "hotfix.stage",
        project_id=project.pk,
        subject=f"hotfix:{key}",
        target=target,
        new=new,
        evidence={"tag": "v1.2.3"},
    )
    assert event is not None
    return event


def test_the_usual_three_reach_people_by_mail_with_links(project: Project, mailbox: Mailbox) -> None:
    channel = mail_channel()
    make_hotfix(project, title="Send 3-D Secure timeout in milliseconds")
    stage(project, "TICKET-7", "branch")
    incident = incident_declare(project, "Card payments fail")
    incident_say(incident, "We found the cause.", state="identified")
    stage(project, "TICKET-7", "verify")
    send_all(channel)
    assert [mail["Subject"] for mail in mailbox.mails] == [
        "Hotfix under way: Send 3-D Secure timeout in milliseconds",
        "SEV2 incident: Card payments fail",
        "Identified: Card payments fail",
        "Deployed and verified: Send 3-D Secure timeout in milliseconds",
    ]
    first, update = mailbox.mails[0], mailbox.mails[2]
    assert first["To"] == "team@example.com"
    assert "/projects/shop/hotfixes/TICKET-7/" in first.get_content()
    assert "We found the cause." in update.get_content()
    assert f"/incidents/{incident.key}/" in update.get_content()


def test_looking_again_and_again_announces_once(project: Project, mailbox: Mailbox) -> None:
    channel = mail_channel()
    incident_declare(project, "Card payments fail")
    for _ in range(3):
        announcements_collect()
    send_all(channel)
    send_all(channel)
    assert len(mailbox.mails) == 1
    assert Message.objects.get().state == "sent"


def test_looking_again_makes_nothing_anew(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    mail_channel()
    incident_declare(project, "Cards fail")
    assert announcements_collect()
    monkeypatch.setattr("incidents.announcements.collecting.words_of", None)
    assert announcements_collect() == []
    assert Message.objects.count() == 1


def test_a_row_whose_transaction_ended_late_is_not_overlooked(project: Project, mailbox: Mailbox) -> None:
    channel = mail_channel()
    early, late = stage(project, "T-1", "verify"), stage(project, "T-2", "verify")
    Event.objects.filter(pk=early.pk).update(kind="hotfix.hidden")  # as if it were not committed yet
    announcements_collect()
    Event.objects.filter(pk=early.pk).update(kind="hotfix.stage")
    announcements_collect()
    assert set(Message.objects.filter(channel=channel).values_list("event", flat=True)) == {early.pk, late.pk}


def test_what_was_before_the_channel_or_long_ago_is_not_announced(project: Project) -> None:
    stage(project, "T-1", "verify")
    mail_channel()
    old = stage(project, "T-2", "verify")
    Event.objects.filter(pk=old.pk).update(at=timezone.now() - timedelta(days=2))
    announcements_collect()
    assert not Message.objects.exists()


@pytest.mark.parametrize(("worst", "sent"), [(1, []), (2, ["SEV2"]), (4, ["SEV2", "SEV3"])])
def test_a_channel_gets_what_is_bad_enough(project: Project, worst: int, sent: list[str]) -> None:
    mail_channel("incident-declared", worst=worst)
    incident_declare(project, "Two", severity=2)
    incident_declare(project, "Three", severity=3)
    announcements_collect()
    assert [message.subject[:4] for message in Message.objects.all()] == sent


def test_a_channel_gets_its_projects_and_topics_only(project: Project) -> None:
    other = make_project("other")
    mail_channel("incident-declared", projects=[project])
    incident_declare(other, "Elsewhere")
    incident_say(incident_declare(project, "Here"), "Nobody chose updates.")
    announcements_collect()
    assert [message.subject for message in Message.objects.all()] == ["SEV2 incident: Here"]


def test_nothing_internal_leaves_by_a_channel_for_outside(project: Project) -> None:
    mail_channel(*BY_KEY, internal=False)
    incident_declare(project, "Among ourselves", public=False)
    incident = incident_declare(project, "Cards fail")
    incident_say(incident, "The lead suspects the bank.", public=False)
    incident_say(incident, "We are looking into it.", public=True)
    stage(project, "T-1", "verify")
    announcements_collect()
    assert [message.subject for message in Message.objects.all()] == [
        "SEV2 incident: Cards fail",
        "Investigating: Cards fail",
    ]
    assert "suspects" not in "".join(Message.objects.values_list("body", flat=True))


def test_a_signed_webhook_can_be_checked_and_names_its_delivery(project: Project, inbox: Inbox) -> None:
    channel = hook_channel(inbox.url)
    incident = incident_declare(project, "Cards <b>fail</b> — überall")
    send_all(channel)
    [post] = inbox.posts
    stamp = post.headers["x-hotfixdash-timestamp"]
    mac = hmac.new(channel_secret(channel).encode(), f"{stamp}.".encode() + post.body, hashlib.sha256).hexdigest()
    assert post.headers["x-hotfixdash-signature"] == f"sha256={mac}"
    data = json.loads(post.body)
    assert (data["topic"], data["thing"], data["severity"]) == ("incident-declared", incident.key, "SEV2")
    assert data["title"] == "Cards <b>fail</b> — überall"
    assert post.headers["x-hotfixdash-delivery"] == delivery_id(Message.objects.get())


def test_slack_and_teams_get_their_own_form_and_no_markup_of_others(project: Project, inbox: Inbox) -> None:
    slack, teams = hook_channel(inbox.url, "slack"), hook_channel(inbox.url, "teams")
    incident_declare(project, "<!channel> [x](https://evil.example) & more")
    send_all(slack)
    send_all(teams)
    first, second = (json.loads(post.body) for post in inbox.posts)
    assert "&lt;!channel&gt;" in first["text"]
    assert "<!channel>" not in first["text"]
    block = second["attachments"][0]["content"]["body"][0]["text"]
    assert "\\[x\\]\\(https://evil.example\\)" in block


def test_a_channel_that_is_down_is_tried_again_in_order_and_delays_nobody(
    project: Project, inbox: Inbox, mailbox: Mailbox
) -> None:
    hook, mail = hook_channel(inbox.url), mail_channel("incident-declared")
    inbox.answers = [503]
    incident_declare(project, "One")
    incident_declare(project, "Two")
    announcements_collect()
    channel_deliver(hook.pk, worker_name())
    channel_deliver(mail.pk, worker_name())
    assert len(inbox.posts) == 1
    assert [mail["Subject"] for mail in mailbox.mails] == ["SEV2 incident: One", "SEV2 incident: Two"]
    first, second = Message.objects.filter(channel=hook)
    assert (first.state, second.state) == ("waiting", "waiting")
    assert first.error.startswith("It answered 503")
    assert first.due_at > timezone.now()
    assert hook.pk not in channels_due(timezone.now())
    send_all(hook)
    titles = [json.loads(post.body)["title"] for post in inbox.posts]
    assert titles == ["One", "One", "Two"]
    assert inbox.posts[0].headers["x-hotfixdash-delivery"] == inbox.posts[1].headers["x-hotfixdash-delivery"]


def test_what_cannot_work_is_given_up_at_once_visibly_and_can_be_sent_again(project: Project, mailbox: Mailbox) -> None:
    channel = channel_save("two", "email", "gone@example.com, here@example.com", ["incident-declared"])
    mailbox.refuse = {"gone@example.com": 550}
    incident_declare(project, "One")
    send_all(channel)
    gone = Message.objects.get(recipient="gone@example.com")
    assert gone.state == "failed"
    assert "no such box" in gone.error
    assert [mail["To"] for mail in mailbox.mails] == ["here@example.com"]
    assert Event.objects.filter(kind="announcement.failed").count() == 1
    mailbox.refuse = {}
    assert message_again(gone, make_user("mira"))
    send_all(channel)
    assert [mail["To"] for mail in mailbox.mails] == ["here@example.com", "gone@example.com"]
    assert not message_again(Message.objects.get(pk=gone.pk))


def test_after_many_tries_it_is_given_up(project: Project, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivering, "MOST_TRIES", 2)
    mailbox.down = True
    channel = mail_channel("incident-declared")
    incident_declare(project, "One")
    send_all(channel)
    assert Message.objects.get().state == "waiting"
    send_all(channel)
    assert Message.objects.get().state == "failed"


def test_what_a_dead_worker_was_sending_goes_out_after_all(project: Project, mailbox: Mailbox) -> None:
    channel = mail_channel("incident-declared")
    incident_declare(project, "One")
    announcements_collect()
    Message.objects.update(state="sending", worker="gone:1/x", heartbeat_at=timezone.now() - timedelta(minutes=2))
    assert messages_lost(timezone.now()) == 1
    send_all(channel)
    assert len(mailbox.mails) == 1
    Message.objects.update(state="sending", worker=worker_name(), heartbeat_at=timezone.now())
    assert messages_lost(timezone.now()) == 0


def test_a_paused_channel_keeps_what_comes(project: Project, mailbox: Mailbox) -> None:
    channel = mail_channel("incident-declared")
    channel_pause(channel, True)
    incident_declare(project, "One")
    send_all(channel)
    assert mailbox.mails == []
    channel_pause(channel, False)
    send_all(channel)
    assert len(mailbox.mails) == 1


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:9/x", "http://169.254.169.254/latest", "http://[::1]/x", "ftp://example.com/x",
        "https://user:pass@example.com/x", "javascript:alert(1)", "https://", "http://localhost/x", "http://2130706433/",
    ],
)  # fmt: skip
def test_webhooks_to_private_or_odd_addresses_are_refused(url: str) -> None:
    with pytest.raises(ChannelError) as refused:
        channel_save("x", "webhook", url, ["incident-declared"])
    assert refused.value.field == "target"
    assert not Channel.objects.exists()


def test_a_webhook_is_not_followed_to_where_it_redirects(project: Project, inbox: Inbox) -> None:
    with http_receiver() as elsewhere:
        channel = hook_channel(inbox.url)
        inbox.answers, inbox.location = [307], elsewhere.url
        incident_declare(project, "One")
        send_all(channel)
        assert elsewhere.posts == []
    assert Message.objects.get().error == "It redirects to another address; enter that one."


def test_a_host_that_turns_private_later_is_not_posted_to(project: Project, inbox: Inbox, settings: Any) -> None:
    channel = hook_channel(inbox.url)
    settings.GIT_ALLOW_PRIVATE_HOSTS = []
    incident_declare(project, "One")
    send_all(channel)
    assert inbox.posts == []
    assert Message.objects.get().state == "waiting"


@pytest.mark.parametrize("text", ["a\r\nBcc: all@example.com", "a\nb", "a\x0bb", "a\u2028b", "a\u202eb"])
def test_titles_cannot_add_headers_or_turn_the_writing_round(project: Project, mailbox: Mailbox, text: str) -> None:
    assert "\n" not in line(text)
    channel = mail_channel("incident-declared")
    incident = incident_declare(project, "One")
    Incident.objects.filter(pk=incident.pk).update(title=text)
    Event.objects.filter(kind="incident.declared").update(evidence={"title": text, "severity": 2, "public": True})
    send_all(channel)
    [mail] = mailbox.mails
    assert mail["Bcc"] is None
    assert mail["Subject"] == f"SEV2 incident: {line(text)}"


def test_addresses_are_kept_encrypted_and_shown_in_part() -> None:
    channel = channel_save("hook", "slack", "https://192.0.32.10/services/T0/B0/very-secret", ["incident-declared"])
    assert "secret" not in Channel.objects.get().target
    assert shown_target(channel) == "https://192.0.32.10/…"
    kept = Channel.objects.get().target
    channel_save("hook", "slack", "", ["incident-update"], channel=channel)
    assert (Channel.objects.get().target, Channel.objects.get().kinds) == (kept, ["incident-update"])
    assert "very-secret" not in str(list(Event.objects.values()))


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"name": " "}, "name"),
        ({"target": "not an address"}, "target"),
        ({"target": ""}, "target"),
        ({"topics": []}, "kinds"),
        ({"topics": ["made-up"]}, "kinds"),
        ({"worst": 7}, "worst"),
    ],
)
def test_a_channel_that_cannot_be_is_refused_beside_its_field(fields: dict[str, Any], field: str) -> None:
    told = {"name": "team", "kind": "email", "target": "a@example.com", "topics": ["incident-declared"]} | fields
    with pytest.raises(ChannelError) as refused:
        channel_save(**told)
    assert refused.value.field == field
