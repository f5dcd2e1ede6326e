"""Probes by command: like a step, with nothing left behind and nothing from a release in the command line."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from releases.deploys.carrying import run_alive
from releases.deploys.models import Environment
from releases.deploys.probing import Probe, Seen, probe, probe_lives, probe_marker
from releases.deploys.runner.marks import marked
from releases.deploys.settings_services import secret_set
from tests.factories import make_environment, make_project

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def data_dir(tmp_path: Path, settings: Any) -> Path:
    settings.DATA_DIR = tmp_path / "var"
    return tmp_path


def asked(command: str, **more: Any) -> Seen:
    project = make_project("shop")
    data = {"kind": "command", "command": command, "timeout": 5.0} | more
    return probe(make_environment(project, "staging", url="https://shop.example.org", probe=data))


def test_the_last_line_names_the_revision() -> None:
    seen = asked("echo connecting; echo v1.2.3; echo")
    assert (seen.revision, seen.healthy, seen.error) == ("v1.2.3", True, "")


def test_a_pattern_finds_it_in_the_line() -> None:
    assert asked("echo 'image: shop:1.2.3 (running)'", pattern=r"shop:(\S+)").revision == "1.2.3"


def test_what_it_is_about_comes_as_variables() -> None:
    seen = asked('echo "$HOTFIXDASH_PROJECT/$HOTFIXDASH_ENVIRONMENT/$HOTFIXDASH_URL"')
    assert seen.revision == "shop/staging/https://shop.example.org"


def test_a_name_that_would_be_a_command_is_only_text(data_dir: Path) -> None:
    project = make_project("$(touch owned)", slug="shop2")
    environment = make_environment(
        project, url=f"https://a/$(touch {data_dir}/owned)`touch {data_dir}/owned`",
        probe={"kind": "command", "command": 'echo "$HOTFIXDASH_URL"'},
    )  # fmt: skip
    assert probe(environment).revision.startswith("https://a/$(touch")
    assert not (data_dir / "owned").exists()


@pytest.mark.parametrize("command", ["echo v1; exit 3", "nonsense-command", "kill -9 $$"])
def test_a_command_that_fails_names_nothing(command: str) -> None:
    seen = asked(command)
    assert (seen.revision, seen.healthy) == ("", False)
    assert seen.error.startswith("Its command did not answer.")


def test_it_is_ended_when_it_takes_too_long_with_all_that_it_started(data_dir: Path) -> None:
    begun = time.monotonic()
    seen = asked("trap '' TERM; (setsid sleep 60 &) ; sleep 60", timeout=0.5)
    assert time.monotonic() - begun < 5
    assert not seen.healthy
    assert not [marker for marker in marked() if marker.startswith("probe-")]
    assert list((data_dir / "var" / "work").iterdir()) == []


def test_endless_output_does_no_harm() -> None:
    seen = asked("yes v1 | head -c 20000000; echo; echo v2")
    assert seen.revision == "v2"


def test_a_secret_is_given_and_masked() -> None:
    project = make_project()
    secret_set(project, "CLUSTER_TOKEN", "s3cret-of-the-cluster")
    data = {"kind": "command", "command": 'echo "v1 $CLUSTER_TOKEN"', "secrets": ["CLUSTER_TOKEN"]}
    assert probe(make_environment(project, probe=data)).revision == "v1 ***"
    failing = data | {"command": 'echo "$CLUSTER_TOKEN" >&2; exit 1'}
    assert "s3cret" not in probe(make_environment(project, "staging", probe=failing)).error


def test_the_sweep_leaves_a_probe_alone_as_long_as_it_may_run() -> None:
    environment = Environment(pk=7)
    assert run_alive(probe_marker(environment, Probe("command", timeout=5)))
    assert not run_alive(f"probe-7:{int(time.time()) - 1}")
    assert not probe_lives("12:3")
