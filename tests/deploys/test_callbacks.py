"""`POST /hooks/steps/<step>`: an answer from elsewhere counts once, and only with signature and token."""

from __future__ import annotations

import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import resolve

from releases.deploys.models import LogChunk, Run, Step
from releases.deploys.requesting import build_request
from releases.deploys.spec import Answer, StepKind, StepSpec
from releases.ledger.models import Event
from releases.projects.models import Project
from releases.projects.secrets import encrypt
from releases.webhooks import LARGEST

from .shop import Shop, again, carried, make_shop, states

pytestmark = pytest.mark.django_db
SECRET = "correct-horse"


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    shop = make_shop(tmp_path)
    Project.objects.filter(pk=shop.project.pk).update(hook_secret=encrypt(SECRET))
    started = f'echo "$HOTFIXDASH_CALLBACK_URL $HOTFIXDASH_CALLBACK_TOKEN" > "{tmp_path}/asked"'
    shop.pipeline(
        StepSpec("elsewhere", StepKind.CHECK, started, answer=Answer.CALLBACK, timeout=60),
        StepSpec("build", StepKind.BUILD, shop.says("build", "mkdir out; cp app.py out/"), artifact="out"),
        StepSpec("switch", StepKind.DEPLOY, shop.says("deploy")),
    )
    return shop


@pytest.fixture
def waiting(shop: Shop) -> Run:
    """A build whose first step was started elsewhere."""
    run = carried(build_request(shop.project, shop.release("v1.0.1"), trigger="person")[0])
    assert (run.state, states(run)) == ("paused", ["waiting", "todo"])
    return run


def asked(shop: Shop) -> tuple[str, str]:
    """Path and token, as the command got them."""
    url, token = (shop.folder / "asked").read_text().split()
    return "/" + url.split("/", 3)[3], token


def call(path: str, data: Any, *, secret: str | None = SECRET) -> int:
    body = data if isinstance(data, bytes) else json.dumps(data).encode()
    headers = {}
    if secret is not None:
        headers["X-Hub-Signature-256"] = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    client = Client(enforce_csrf_checks=True)
    return client.post(path, body, content_type="application/json", headers=headers).status_code


def test_the_address_that_a_command_gets_leads_here(shop: Shop, waiting: Run) -> None:
    path, _token = asked(shop)
    assert resolve(path).view_name == "releases:hook-answer"


def test_a_good_answer_lets_the_run_go_on(shop: Shop, waiting: Run) -> None:
    path, token = asked(shop)
    facts = {"job": "https://ci.example.org/7"}
    assert call(path, {"token": token, "passed": True, "facts": facts}) == 202
    step = Step.objects.get(run=waiting, index=0)
    assert (step.state, step.ended, step.facts) == ("done", "answered", facts)
    assert carried(waiting).state == "done"
    assert shop.did() == ["build v1.0.1"]


def test_a_bad_answer_ends_it_and_says_why(shop: Shop, waiting: Run) -> None:
    path, token = asked(shop)
    assert call(path, {"token": token, "passed": False, "why": "3 of 90 tests failed."}) == 202
    run = again(waiting)
    assert run.state == "failed"
    assert "3 of 90 tests failed." in run.error_text
    assert shop.did() == []


def test_it_counts_once(shop: Shop, waiting: Run) -> None:
    path, token = asked(shop)
    said = {"token": token, "passed": True}
    assert call(path, said) == 202
    assert call(path, said) == 409
    assert call(path, {"token": token, "passed": False}) == 409
    assert again(waiting).state == "paused"  # It waits for a worker, and went back to no step.
    assert states(waiting) == ["done", "todo"]
    assert Event.objects.filter(kind="run.answered").count() == 1


def test_the_token_of_an_attempt_before_is_refused(shop: Shop, waiting: Run) -> None:
    path, old = asked(shop)
    assert call(path, {"token": old, "passed": False}) == 202
    from releases.deploys.acting import run_retry

    run_retry(again(waiting))
    assert carried(waiting).state == "paused"
    path, new = asked(shop)
    assert new != old
    assert call(path, {"token": old, "passed": True}) == 401
    assert call(path, {"token": new, "passed": True}) == 202


@pytest.mark.parametrize("secret", [None, "wrong", ""])
def test_without_the_projects_signature_nothing_happens(shop: Shop, waiting: Run, secret: str | None) -> None:
    path, token = asked(shop)
    assert call(path, {"token": token, "passed": True}, secret=secret) == 401
    assert states(waiting) == ["waiting", "todo"]
    assert Project.objects.get(pk=shop.project.pk).hooks_refused == 1


@pytest.mark.parametrize("token", ["", "guessed"])
def test_the_signature_alone_is_not_enough(shop: Shop, waiting: Run, token: str) -> None:
    path, _token = asked(shop)
    assert call(path, {"token": token, "passed": True}) == 401
    assert states(waiting) == ["waiting", "todo"]


def test_the_token_of_another_step_does_not_fit(shop: Shop, waiting: Run) -> None:
    _path, token = asked(shop)
    other = carried(build_request(shop.project, shop.release("v1.0.0"), trigger="person")[0])
    path, _token = asked(shop)
    assert call(path, {"token": token, "passed": True}) == 401
    assert states(other) == ["waiting", "todo"]


@pytest.mark.parametrize(
    "body",
    [
        b"", b"no json", b"[]", b'{"token": "%s"}', b'{"token": "%s", "passed": "yes"}',
        b'{"token": 7, "passed": true}',
        b'{"token": "%s", "passed": true, "facts": {"a": 1}}', b'{"token": "%s", "passed": true, "facts": {"a b": ""}}',
        b"[" * 100_000,
    ],
)  # fmt: skip
def test_anything_else_is_refused(shop: Shop, waiting: Run, body: bytes) -> None:
    path, token = asked(shop)
    assert call(path, body.replace(b"%s", token.encode())) == 400
    assert states(waiting) == ["waiting", "todo"]


def test_steps_that_are_unknown_or_answer_by_themselves_are_not_found(shop: Shop, waiting: Run) -> None:
    plain = Step.objects.get(run=waiting, index=1)
    assert call(f"/hooks/steps/{plain.pk}", {"token": "", "passed": True}) == 404
    assert call("/hooks/steps/999999", {"token": "", "passed": True}) == 404


def test_too_large_and_not_posted(shop: Shop, waiting: Run) -> None:
    path, _token = asked(shop)
    assert call(path, b"x" * (LARGEST + 1)) == 413
    answered = Client().get(path)
    assert (answered.status_code, answered.headers["Allow"]) == (405, "POST")


def test_the_token_is_in_no_log_and_no_row(shop: Shop, waiting: Run) -> None:
    _path, token = asked(shop)
    assert not LogChunk.objects.filter(text__contains=token).exists()
    assert not Event.objects.filter(evidence__icontains=token).exists()
    assert token not in json.dumps(list(Step.objects.values("spec", "facts", "why", "answer_digest")))
