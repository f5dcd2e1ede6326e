"""`POST /hooks/<project>`: signed calls queue a fetch, everything else is refused and counted."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client

from releases.ledger.models import Event
from releases.projects.models import FetchRun, Project
from releases.projects.secrets import encrypt
from releases.webhooks import signature_fits
from tests.factories import make_project

pytestmark = pytest.mark.django_db
SECRET = "correct-horse"
BODY = json.dumps({"ref": "refs/heads/main", "after": "0" * 40}).encode()


@pytest.fixture
def project() -> Project:
    return make_project("shop", hook_secret=encrypt(SECRET))


@pytest.fixture(autouse=True)
def nudged(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What went to the broker; there is none in these tests."""
    sent: list[int] = []
    monkeypatch.setattr("releases.tasks.fetch_nudge", sent.append)
    return sent


def sign(body: bytes, secret: str = SECRET) -> str:
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def call(name: str = "shop", body: bytes = BODY, signature: str | None = None, **headers: str) -> Any:
    if signature is not None:
        headers["X-Hub-Signature-256"] = signature
    client = Client(enforce_csrf_checks=True)
    return client.post(f"/hooks/{name}", body, content_type="application/json", headers=headers)


def test_a_signed_call_queues_a_fetch(
    project: Project, nudged: list[int], django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        response: HttpResponse = call(signature=sign(BODY))
    assert response.status_code == 202
    run = FetchRun.objects.get(project=project)
    assert (run.state, run.trigger) == ("queued", "webhook")
    assert nudged == [run.pk]
    project.refresh_from_db()
    assert (project.hooks_accepted, project.hooks_refused) == (1, 0)


def test_many_calls_join_into_one_fetch(project: Project) -> None:
    for _ in range(5):
        assert call(signature=sign(BODY)).status_code == 202
    assert FetchRun.objects.count() == 1
    project.refresh_from_db()
    assert project.hooks_accepted == 5


@pytest.mark.parametrize(
    "signature",
    [None, "", "sha256=", "sha256=" + "0" * 64, sign(BODY, "wrong"), sign(BODY + b" "), sign(BODY)[7:],
     sign(BODY).replace("sha256", "sha1"), "sha256=ä" + "0" * 63],
)  # fmt: skip
def test_what_is_not_signed_by_the_secret_is_refused_and_counted(project: Project, signature: str | None) -> None:
    assert call(signature=signature).status_code == 401
    assert not FetchRun.objects.exists()
    project.refresh_from_db()
    assert (project.hooks_accepted, project.hooks_refused) == (0, 1)


def test_refusals_are_told_once_an_hour_however_many_there_are(project: Project) -> None:
    for _ in range(4):
        call(signature="sha256=" + "0" * 64)
    assert Event.objects.filter(kind="hook.refused", project=project).count() == 1
    project.refresh_from_db()
    assert project.hooks_refused == 4


def test_an_unknown_project_is_refused(project: Project) -> None:
    assert call("nobody", signature=sign(BODY)).status_code == 404
    assert call("nobody", signature=sign(BODY)).status_code == 404
    assert Event.objects.filter(kind="hook.unknown").count() == 1


def test_a_body_above_one_mebibyte_is_refused_without_being_signed(project: Project) -> None:
    limit = b"x" * (1024 * 1024)
    assert call(body=limit, signature=sign(limit)).status_code == 202
    assert call(body=limit + b"x", signature=sign(limit + b"x")).status_code == 413


@pytest.mark.parametrize("name", ["shop", "nobody"])
def test_other_methods_say_nothing_about_which_projects_exist(project: Project, name: str) -> None:
    response = Client().get(f"/hooks/{name}")
    assert (response.status_code, response.headers["Allow"]) == (405, "POST")


def test_a_project_without_a_secret_accepts_nothing() -> None:
    make_project("bare", hook_secret="")
    assert call("bare", signature=sign(BODY, "")).status_code == 401


def test_a_secret_that_cannot_be_read_accepts_nothing() -> None:
    make_project("rotated", hook_secret="gAAAAA-from-another-key")
    assert call("rotated", signature=sign(BODY)).status_code == 401


def test_what_the_body_says_does_not_matter(project: Project) -> None:
    for body in (b"", b"\xff\x00", b"{" * 1000, b'{"repository": {"url": "ext::sh -c id"}}'):
        assert call(body=body, signature=sign(body)).status_code == 202
    project.refresh_from_db()
    assert project.remote_url == "https://git.example.com/shop.git"


def test_the_broker_being_away_does_not_matter(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert call(signature=sign(BODY)).status_code == 202
    assert FetchRun.objects.filter(project=project, state="queued").exists()


def test_the_signature_is_that_of_the_published_example() -> None:
    # From the documentation of the header: secret, payload and expected value.
    assert signature_fits(
        "It's a Secret to Everybody",
        b"Hello, World!",
        "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
    )
