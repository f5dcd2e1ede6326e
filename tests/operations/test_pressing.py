"""Two people press “Merge back now” at the same moment: one operation, and both see it."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from django.contrib.messages import get_messages
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from hotfixdash.accounts.models import User
from releases.ledger.models import Event
from releases.operations.models import Operation
from releases.policies.models import Fix, Verdict
from releases.projects.models import FetchRun
from releases.tasks import fetch_carry_out, operation_carry_out_here
from tests.factories import make_user

from .small import merges
from .stories import Story, make_story

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def story(tmp_path: Path) -> Story:
    story = make_story(tmp_path, "merge-back")
    story.operation.delete()
    return story


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def address(story: Story) -> str:
    return reverse("releases:merge-back", args=[story.project.slug, Fix.objects.get().key, "develop"])


def told(answer: HttpResponse) -> str:
    return " ".join(str(message) for message in get_messages(answer.wsgi_request))  # type: ignore[attr-defined]


def test_two_people_press_at_the_same_moment(story: Story) -> None:
    people = [make_user(name, "release-manager", projects=[story.project]) for name in ("mira", "robin")]
    clients = [signed_in(user) for user in people]
    url = address(story)
    for client in clients:
        assert b"Merge and push" in client.get(url).content
    ready = threading.Barrier(len(clients))
    answers: list[HttpResponse] = []

    def press(client: Client) -> None:
        try:
            ready.wait(10)
            answers.append(client.post(url))
        finally:
            connection.close()

    threads = [threading.Thread(target=press, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [answer.status_code for answer in answers] == [302, 302]
    operation = Operation.objects.get()
    said = sorted(told(answer) for answer in answers)
    assert f"{operation.actor_name} asked for the same already" in " ".join(said)
    page = reverse("releases:operation", args=[story.project.slug, operation.pk])
    for client in clients:
        shown = client.get(page)
        assert shown.status_code == 200
        assert b"Waiting for its turn" in shown.content

    operation_carry_out_here(operation.pk)
    fetch_carry_out(FetchRun.objects.get(trigger="operation").pk)
    assert merges(story.repo) == 1
    assert Event.objects.filter(kind="operation.done").count() == 1
    assert Verdict.objects.get().settled
    for client in clients:
        assert b"Merge back into develop" in client.get(page).content
        late = client.post(url)
        assert late.status_code == 409
        assert b"develop has" in late.content
    assert Operation.objects.count() == 1


def test_who_may_only_look_changes_nothing(story: Story) -> None:
    client = signed_in(make_user("vera", "viewer", projects=[story.project]))
    assert client.post(address(story)).status_code in (403, 404)
    assert not Operation.objects.exists()
