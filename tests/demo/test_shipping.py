"""The demo ships for real: built, unpacked, switched over, and answering on loopback ports."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hotfixdash.accounts.demo import demo_accounts_create
from hotfixdash.accounts.models import User
from releases.demo import shipping
from releases.demo.build import CATALOGUE, build
from releases.demo.install import WAYS, demo_remove
from releases.demo.places import TO_SHIP, apps_folder, places, port_choose
from releases.demo.shipping import shipping_first, shipping_make
from releases.deploys.approving import approve
from releases.deploys.binding import binding_of
from releases.deploys.models import Environment, Pipeline, Run
from releases.deploys.requesting import build_request, rollback_request
from releases.projects.models import Project, Release
from releases.projects.services import project_add
from releases.tasks import fetch_carry_out, run_carry_out_here

from .conftest import NOW

pytestmark = pytest.mark.django_db
REPOSITORY = Path(__file__).resolve().parents[2]
NAME = "mobile-bff"


@pytest.fixture
def root(tmp_path: Path, settings: Any) -> Path:
    settings.DATA_DIR = tmp_path
    settings.MIRROR_DIR, settings.EVIDENCE_DIR = tmp_path / "mirrors", tmp_path / "evidence"
    return apps_folder(tmp_path)


@pytest.fixture
def project(root: Path) -> Project:
    """One project of the demo, judged, with its environments and pipeline."""
    entry = next(entry for entry in CATALOGUE if entry.app.name == NAME)
    remote = build(entry, root.parent, NOW)
    demo_accounts_create()
    project, run = project_add(NAME, str(remote), policy=WAYS[NAME].policy().as_data(), operator=True)
    fetch_carry_out(run.pk)
    shipping_make(project)
    return project


@pytest.fixture
def host(root: Path, project: Project) -> Iterator[None]:
    command = [sys.executable, "-m", "releases.demo.app_host", str(root)]
    process = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.DEVNULL)
    yield
    process.terminate()
    process.wait(20)


def place(project: Project, name: str) -> Environment:
    return Environment.objects.select_related("live").get(project=project, name=name)


def answers(environment: Environment, path: str = "healthz") -> str:
    with urllib.request.urlopen(f"{environment.url}{path}", timeout=5) as answer:
        return str(answer.read().decode())


def version(environment: Environment) -> str:
    return str(json.loads(answers(environment))["version"])


def test_the_first_releases_are_really_out_and_a_hotfix_waits(project: Project, root: Path, host: None) -> None:
    assert (root / TO_SHIP).exists()
    said: list[str] = []
    assert shipping_first(run_carry_out_here, said.append) == 2
    production, staging = place(project, "production"), place(project, "hotfix-staging")
    assert (version(production), version(staging), version(place(project, "staging"))) == ("0.42.0", "0.42.1", "0.42.0")
    assert production.live is not None
    assert production.live.verified_at is not None
    assert json.loads(answers(production))["revision"] == production.live.commit
    assert "0.42.0" in answers(production, "")
    waiting = Run.objects.get(state="asked")
    assert (waiting.tag, waiting.environment, waiting.lane) == ("v0.42.1", production, "hotfix")
    assert waiting.digest == Run.objects.get(kind="build", tag="v0.42.1").digest
    assert (production.approvals, production.watch_seconds) == (1, shipping.WATCH)
    assert not (root / TO_SHIP).exists()
    assert shipping_first(run_carry_out_here, said.append) == 0
    _approve_and_take_back(production, waiting)
    _remove(root)


def _approve_and_take_back(production: Environment, waiting: Run) -> None:
    approve(waiting, User.objects.get(username="manager"), "Go.", binding=binding_of(waiting))
    run_carry_out_here(waiting.pk)
    assert version(production) == "0.42.1"
    rollback = rollback_request(production, actor=User.objects.get(username="manager"), why="Avatars are missing.")
    run_carry_out_here(rollback.pk)
    assert version(production) == "0.42.0"


def _remove(root: Path) -> None:
    assert demo_remove() == 1
    assert not Run.objects.exists()
    assert not root.exists()


@pytest.mark.long
def test_interrupted_anywhere_it_is_finished_by_the_next(project: Project, root: Path, host: None) -> None:
    done: list[int] = []

    def power_cut(pk: int) -> Run | None:
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(pk)
        return run_carry_out_here(pk)

    with pytest.raises(KeyboardInterrupt):
        shipping_first(power_cut, lambda _: None)
    assert (root / TO_SHIP).exists()
    shipping_first(run_carry_out_here, lambda _: None)
    assert Run.objects.filter(kind="build", state="done").count() == 2
    assert Run.objects.get(state="asked").tag == "v0.42.1"


@pytest.mark.long
def test_a_release_that_does_not_answer_is_said_and_tried_again(project: Project, root: Path) -> None:
    Environment.objects.update(settle_seconds=0)
    with pytest.raises(shipping.NotShipped, match=r"v0\.42\.0"):
        shipping_first(run_carry_out_here, lambda _: None)
    assert (root / TO_SHIP).exists()
    assert Run.objects.filter(environment__isnull=False).count() == 1
    with pytest.raises(shipping.NotShipped):
        shipping_first(run_carry_out_here, lambda _: None)
    assert Run.objects.filter(kind="build").count() == 1  # What is built is not built again.


def test_a_project_that_is_made_meanwhile_is_not_forgotten(
    project: Project, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(shipping.SHIPPED, NAME, replace(shipping.SHIPPED[NAME], first=()))
    follow = shipping._follow_ports

    def made_meanwhile() -> None:
        follow()
        (root / TO_SHIP).touch()

    monkeypatch.setattr(shipping, "_follow_ports", made_meanwhile)
    shipping_first(run_carry_out_here, lambda _: None)
    assert (root / TO_SHIP).exists()


@pytest.mark.long
def test_building_twice_gives_the_same_artifact(project: Project) -> None:
    release = Release.objects.get(project=project, tag="v0.42.1")
    digests = []
    for _ in range(2):
        run, made = build_request(project, release, lane="hotfix", trigger="person", again=True)
        assert made
        run_carry_out_here(run.pk)
        run.refresh_from_db()
        digests.append((run.state, run.digest))
    assert digests[0] == digests[1]
    assert digests[0][0] == "done"


def test_made_once_and_only_for_those_that_ship(project: Project, root: Path) -> None:
    ports = {found.port for found in places(root)}
    assert len(ports) == 3
    shipping_make(project)
    assert {found.port for found in places(root)} == ports
    assert (Environment.objects.count(), Pipeline.objects.count()) == (3, 1)
    other = Project.objects.create(name="legacy-batch", slug="legacy-batch", remote_url="file:///nowhere")
    shipping_make(other)
    assert not Environment.objects.filter(project=other).exists()


def test_the_environment_follows_a_port_that_moved(
    project: Project, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = next(found for found in places(root) if found.folder.name == "production")
    moved = replace(found, port=port_choose(root, {other.port for other in places(root)}))
    moved.write()
    monkeypatch.setitem(shipping.SHIPPED, NAME, replace(shipping.SHIPPED[NAME], first=()))
    shipping_first(run_carry_out_here, lambda _: None)
    production = place(project, "production")
    assert production.url == moved.url
    assert production.probe["url"] == f"{moved.url}healthz"
