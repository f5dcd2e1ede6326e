"""`manage.py deploy`, `approve`, `rollback`: what scripts rely on, with real releases that really go somewhere."""

from __future__ import annotations

import io
import json
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.core.management import call_command
from django.utils import timezone

from releases.deploys.models import Approval, BadRelease, Environment, Freeze, Run
from releases.deploys.spec import StepKind, StepSpec
from tests.deploys.shop import Shop, make_shop
from tests.factories import make_user

pytestmark = pytest.mark.django_db
TO_STAGING = ("deploy", "shop", "v1.0.1", "--env", "staging")


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return make_shop(tmp_path)


def run(*args: str) -> tuple[int, str]:
    """Exit code and standard output."""
    out = io.StringIO()
    try:
        call_command(*args, stdout=out)
    except SystemExit as end:
        return int(end.code or 0), out.getvalue()
    return 0, out.getvalue()


def as_json(*args: str) -> tuple[int, dict[str, Any]]:
    code, text = run(*args, "--format", "json")
    return code, json.loads(text)


def approvals(number: int) -> None:
    Environment.objects.filter(name="staging").update(approvals=number)


def test_a_release_is_built_and_deployed_without_a_worker(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    code, answer = as_json(*TO_STAGING, "--wait", "--log")
    assert code == 0
    told = answer["run"]
    assert (told["kind"], told["environment"], told["state"], told["over"]) == ("deploy", "staging", "done", True)
    assert told["digest"].startswith("sha256:")
    assert [step["state"] for step in told["steps"]] == ["done", "done"]
    assert shop.did() == ["tests v1.0.1", "build v1.0.1", "deploy staging v1.0.1", "verify staging v1.0.1"]
    assert (shop.folder / "staging" / "TAG").read_text() == "v1.0.1\n"
    assert "build of v1.0.1: queued" in capsys.readouterr().err


def test_it_only_asks_without_wait(shop: Shop) -> None:
    code, text = run(*TO_STAGING)
    assert (code, shop.did()) == (0, [])
    assert text == f"Run {Run.objects.get().pk}, build of v1.0.1: queued.\n"
    assert as_json(*TO_STAGING)[1]["run"]["kind"] == "build"
    assert Run.objects.count() == 1


def test_the_output_of_the_steps_is_shown_on_request(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    shop.pipeline(*shop.steps()[:2], StepSpec("switch", StepKind.DEPLOY, "echo 'pear\x1b[31m tree'"))
    run(*TO_STAGING, "--wait")
    assert "pear" not in capsys.readouterr().err
    run("deploy", "shop", "v1.0.0", "--env", "staging", "--wait", "--log")
    err = capsys.readouterr().err
    assert "pear" in err
    assert "\x1b" not in err


def test_a_deployment_that_fails_ends_with_one(shop: Shop) -> None:
    shop.pipeline(*shop.steps()[:2], StepSpec("switch", StepKind.DEPLOY, "exit 7"))
    code, answer = as_json(*TO_STAGING, "--wait")
    assert (code, answer["run"]["state"]) == (1, "failed")
    assert answer["run"]["error"]["message"]


def test_until_when_a_freeze_holds_it_is_said(shop: Shop) -> None:
    assert run(*TO_STAGING, "--wait")[0] == 0
    place, now = shop.place("staging"), timezone.now()
    Environment.objects.filter(pk=place.pk).update(time_zone="Asia/Tokyo")
    ends = now + timedelta(days=2)
    Freeze.objects.create(environment=place, why="Quarter end", starts_at=now, ends_at=ends)
    at = ends.astimezone(ZoneInfo("Asia/Tokyo"))
    said = f"staging is frozen until {at:%a} {at.day} {at:%b}, {at:%H:%M} (Asia/Tokyo): Quarter end"
    code, text = run(*TO_STAGING)
    assert (code, text) == (0, f"Run {Run.objects.latest('pk').pk}, deployment of v1.0.1 to staging: queued. {said}.\n")
    hold = {"code": "freeze", "message": said, "until": ends.isoformat(timespec="seconds")}
    assert as_json(*TO_STAGING)[1]["run"]["holds"] == [hold]


def test_time_that_is_up_ends_with_three(shop: Shop) -> None:
    approvals(1)
    code, answer = as_json(*TO_STAGING, "--wait", "--timeout", "2")
    assert (code, answer["run"]["state"], answer["run"]["over"]) == (3, "asked", False)


@pytest.mark.parametrize(
    ("args", "code", "says"),
    [
        (("deploy", "other", "v1.0.1", "--env", "staging"), 2, "no-project"),
        (("deploy", "shop", "v9", "--env", "staging"), 2, "no-release"),
        (("deploy", "shop", "v1.0.1", "--env", "moon"), 2, "no-environment"),
        (("deploy", "shop", "v1.0.1", "--env", "production"), 1, "not-passed"),
        (("deploy", "shop", "v1.0.1", "--env", "staging", "--by", "nobody"), 2, "no-person"),
        (("deploy", "shop", "v1.0.1", "--env", "staging", "--by", "vera"), 1, "role"),
        (("deploy", "shop", "v1.0.1", "--env", "staging", "--by", "stranger"), 1, "unseen"),
        (("rollback", "shop", "--env", "staging", "--why", "It hurts"), 1, "nothing-before"),
        (("rollback", "shop", "--env", "staging", "--why", "It hurts", "--to", "v1.0.0"), 2, "nothing-before"),
        (("rollback", "shop", "--env", "staging", "--why", "It hurts", "--by", "eddy"), 1, "role"),
        (("approve", "shop", "v1.0.1", "--env", "staging", "--by", "mira", "--yes"), 2, "not-waiting"),
        (("approve", "shop", "v1.0.1", "--env", "staging", "--by", "eddy", "--yes"), 1, "role"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_said_in_json_too(shop: Shop, args: tuple[str, ...], code: int, says: str) -> None:
    make_user("vera", "viewer", projects=[shop.project])
    make_user("eddy", "engineer", projects=[shop.project])
    make_user("mira", "release-manager", projects=[shop.project])
    make_user("stranger", "administrator")
    ended, answer = as_json(*args)
    assert (ended, answer["error"]["code"]) == (code, says)
    assert answer["error"]["message"].endswith(".")
    assert not Run.objects.exists()


def asked(shop: Shop, number: int = 1) -> Run:
    """v1.0.1 waits for approval for staging."""
    approvals(number)
    as_json(*TO_STAGING, "--wait", "--timeout", "1")
    return Run.objects.get(environment__name="staging", state="asked")


def test_an_approval_counts_and_the_last_one_queues(shop: Shop) -> None:
    for name in ("mira", "noa"):
        make_user(name, "release-manager", projects=[shop.project])
    waiting = asked(shop, 2)
    approve = ("approve", "shop", "v1.0.1", "--env", "staging", "--yes")
    code, text = run(*approve, "--by", "mira", "--comment", "Looks right")
    assert (code, text) == (
        0,
        f"Run {waiting.pk}, deployment of v1.0.1 to staging: 1 of 2 approvals, mira's among them.\n",
    )
    code, answer = as_json(*approve, "--by", "mira")
    assert (code, answer["error"]["code"]) == (1, "spoken")
    code, answer = as_json(*approve, "--by", "noa")
    assert (code, answer["run"]["state"]) == (0, "queued")
    assert set(Approval.objects.values_list("person__username", "comment")) == {("mira", "Looks right"), ("noa", "")}
    assert as_json(*TO_STAGING, "--wait")[0] == 0


def test_a_word_is_about_what_was_named(shop: Shop) -> None:
    make_user("mira", "release-manager", projects=[shop.project])
    waiting = asked(shop)
    approve = ("approve", "shop", "v1.0.1", "--env", "staging", "--by", "mira", "--yes")
    for option in ("--commit", "--digest"):
        code, answer = as_json(*approve, option, "0" * 40)
        assert (code, answer["error"]["code"]) == (1, "stale")
    code, answer = as_json(*approve, "--commit", waiting.commit, "--digest", waiting.digest)
    assert (code, answer["run"]["state"]) == (0, "queued")


def test_a_no_says_why_and_ends_it(shop: Shop) -> None:
    make_user("mira", "release-manager", projects=[shop.project])
    asked(shop)
    reject = ("approve", "shop", "v1.0.1", "--env", "staging", "--by", "mira", "--yes", "--reject")
    assert as_json(*reject)[0] == 1
    code, answer = as_json(*reject, "--comment", "Not on a Friday")
    assert (code, answer["run"]["state"]) == (0, "rejected")


def test_the_tag_is_typed_before_anything_is_said(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    make_user("mira", "release-manager", projects=[shop.project])
    waiting = asked(shop)
    approve = ("approve", "shop", "v1.0.1", "--env", "staging", "--by", "mira")
    for typed, code in (("\n", 2), ("v1.0.0\n", 2), ("v1.0.1\n", 0)):
        monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
        assert run(*approve)[0] == code
    waiting.refresh_from_db()
    assert waiting.state == "queued"


def test_nobody_approves_what_they_asked_for(shop: Shop) -> None:
    make_user("mira", "release-manager", projects=[shop.project])
    approvals(1)
    as_json(*TO_STAGING, "--by", "mira", "--wait", "--timeout", "1")
    code, answer = as_json("approve", "shop", "v1.0.1", "--env", "staging", "--by", "mira", "--yes")
    assert (code, answer["error"]["code"]) == (1, "own")


def test_a_rollback_brings_the_former_release_back(shop: Shop) -> None:
    for tag in ("v1.0.0", "v1.0.1"):
        assert run("deploy", "shop", tag, "--env", "staging", "--wait")[0] == 0
    code, answer = as_json("rollback", "shop", "--env", "staging", "--why", "It rounds wrongly", "--wait")
    told = answer["run"]
    assert (code, told["kind"], told["tag"], told["state"]) == (0, "rollback", "v1.0.0", "done")
    assert (shop.folder / "staging" / "TAG").read_text() == "v1.0.0\n"
    assert BadRelease.objects.get().tag == "v1.0.1"
    assert Run.objects.get(kind="rollback").trigger == "command"
    code, answer = as_json(*TO_STAGING)
    assert (code, answer["error"]["code"]) == (1, "bad-release")
    assert run(*TO_STAGING, "--why", "It was the database", "--wait")[0] == 0
    code, answer = as_json("rollback", "shop", "--env", "staging", "--why", "Again", "--to", "v1.0.0", "--wait")
    assert (code, answer["run"]["tag"]) == (0, "v1.0.0")
