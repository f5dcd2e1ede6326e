"""Artifacts are kept as long as somebody may need them, and no longer; their digests stay."""

from __future__ import annotations

import os
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from releases.deploys.errors import DeployRefused
from releases.deploys.models import Environment, Run
from releases.deploys.requesting import deploy_request, rollback_request
from releases.deploys.retention import artifacts_sweep, orphans_sweep
from releases.deploys.runner.artifacts import keep, store
from releases.deploys.runner.workspaces import workspaces_sweep
from releases.deploys.spec import StepKind, StepSpec
from releases.ledger.models import Event
from tests.factories import make_user
from tests.pages.hotfix_scene import main_words

from .shop import Shop, again, carried, make_shop

pytestmark = pytest.mark.django_db
LATER = timedelta(days=100)


@pytest.fixture
def shop(tmp_path: Path, settings: Any) -> Shop:
    """v1.0.1 to v1.0.5 ran in staging one after the other, the last one runs there now."""
    settings.DATA_DIR = tmp_path / "data"
    settings.ARTIFACT_KEEP_DAYS, settings.ARTIFACT_KEEP_RELEASES = 30, 3
    shop = make_shop(tmp_path, "staging")
    for number in range(1, 6):
        if number > 1:
            shop.tag(f"v1.0.{number}")
            shop.look()
        shipped(shop, f"v1.0.{number}")
    aged()
    return shop


def shipped(shop: Shop, tag: str) -> Run:
    build, _ = deploy_request(shop.place("staging"), shop.release(tag), trigger="person")
    assert carried(build).state == "done"
    return carried(Run.objects.get(kind="deploy", tag=tag))


def aged() -> None:
    """The files were written long ago."""
    for path in store().glob("sha256/*/*/*"):
        os.utime(path, (time.time() - 7200, time.time() - 7200))


def kept() -> list[str]:
    """Releases whose file is still there."""
    builds = Run.objects.filter(kind="build").order_by("pk")
    assert all(Path(run.artifact).exists() is (run.artifact_gone_at is None) for run in builds)
    return [run.tag for run in builds if Path(run.artifact).exists()]


def sweep(after: timedelta = LATER) -> int:
    now: datetime = timezone.now() + after
    return artifacts_sweep(now)


def test_what_is_young_or_among_the_last_releases_stays(shop: Shop) -> None:
    assert sweep(timedelta(days=29)) == 0
    assert sweep() == 2
    assert kept() == ["v1.0.3", "v1.0.4", "v1.0.5"]
    gone = Run.objects.get(kind="build", tag="v1.0.1")
    assert gone.digest.startswith("sha256:")
    assert Run.objects.get(kind="deploy", tag="v1.0.1").artifact_gone_at is not None
    told = Event.objects.filter(kind="artifact.removed").values_list("subject", flat=True)
    assert sorted(told) == ["release:v1.0.1", "release:v1.0.2"]
    assert sweep() == 0


@pytest.mark.long
def test_what_runs_somewhere_and_what_it_would_go_back_to_stay(shop: Shop, settings: Any) -> None:
    settings.ARTIFACT_KEEP_RELEASES = 0
    Environment.objects.filter(name="staging").update(live=Run.objects.get(kind="deploy", tag="v1.0.2"))
    sweep()
    # v1.0.4 would be brought back when v1.0.5, which was begun there last, is taken back.
    assert kept() == ["v1.0.2", "v1.0.4"]


@pytest.mark.long
def test_what_is_on_its_way_stays(shop: Shop) -> None:
    Environment.objects.update(approvals=1)
    deploy_request(shop.place("staging"), shop.release("v1.0.1"), trigger="person")
    sweep()
    assert kept() == ["v1.0.1", "v1.0.3", "v1.0.4", "v1.0.5"]


@pytest.mark.long
def test_a_file_that_was_just_written_stays(shop: Shop) -> None:
    os.utime(Run.objects.get(kind="build", tag="v1.0.1").artifact)
    assert sweep() == 1
    assert kept() == ["v1.0.1", "v1.0.3", "v1.0.4", "v1.0.5"]


@pytest.mark.long
def test_a_deployment_of_one_that_is_gone_builds_it_again(shop: Shop) -> None:
    sweep()
    run, made = deploy_request(shop.place("staging"), shop.release("v1.0.1"), trigger="person")
    assert (run.kind, made) == ("build", True)
    assert carried(run).state == "done"
    assert "v1.0.1" in kept()


@pytest.mark.long
def test_going_back_to_one_that_is_gone_says_so_and_builds_it_anew(shop: Shop) -> None:
    sweep()
    place, to = shop.place("staging"), Run.objects.get(kind="deploy", tag="v1.0.1")
    with pytest.raises(
        DeployRefused, match=f"kept no longer. It can be built anew, .* comes out: {to.digest}"
    ) as refused:
        rollback_request(place, actor=None, why="It hurts", to=to)
    assert refused.value.code == "artifact-gone"
    build = rollback_request(place, actor=None, why="It hurts", to=to, anew=True)
    assert (build.kind, build.tag, again(to).artifact_gone_at is None) == ("build", "v1.0.1", False)
    assert carried(build).digest == to.digest
    back = Run.objects.get(kind="rollback")
    assert (back.tag, back.digest, back.why) == ("v1.0.1", to.digest, "It hurts")
    assert carried(back).state == "done"
    assert (shop.folder / "staging" / "TAG").read_text() == "v1.0.1\n"


@pytest.mark.long
def test_what_comes_out_differently_does_not_go_back(shop: Shop) -> None:
    sweep()
    steps = shop.steps()
    steps[1] = StepSpec("build", StepKind.BUILD, "mkdir out; date +%N > out/when", artifact="out")
    shop.pipeline(*steps)
    to = Run.objects.get(kind="deploy", tag="v1.0.1")
    build = rollback_request(shop.place("staging"), actor=None, why="It hurts", to=to, anew=True)
    assert carried(build).state == "done"
    assert not Run.objects.filter(kind="rollback").exists()
    told = Event.objects.get(kind="run.stopped", subject=f"run:{build.pk}").why
    assert told == f"It does not go back to staging: {again(build).digest} came out, and {to.digest} ran there."
    assert shop.place("staging").live == Run.objects.get(kind="deploy", tag="v1.0.5")


@pytest.mark.long
def test_the_form_offers_it(shop: Shop) -> None:
    client, to = Client(), Run.objects.get(kind="deploy", tag="v1.0.1")
    client.force_login(make_user(role="release-manager", projects=[shop.project]))
    url = "/projects/shop/environments/staging/rollback/"
    asked = client.get(url)
    assert asked.status_code == 200
    assert "anew" not in asked.content.decode()
    sweep()
    assert "v1.0.1, live" in main_words(client.get(url))
    assert "artifact kept no longer" in main_words(client.get(url))
    refused = client.post(url, {"to": to.pk, "why": "It hurts"})
    assert refused.status_code == 422
    assert "It can be built anew" in main_words(refused)
    assert client.post(url, {"to": to.pk, "why": "It hurts", "anew": "on"}).status_code == 302
    assert Run.objects.latest("pk").kind == "build"
    assert ", kept no longer" in main_words(client.get("/projects/shop/releases/v1.0.2/"))
    assert "it is kept no longer" in main_words(client.get(f"/projects/shop/deploys/{to.pk}/"))


@pytest.mark.long
def test_files_that_no_row_names_go_after_a_day(shop: Shop, tmp_path: Path) -> None:
    (tmp_path / "left").write_text("of a project that was removed")
    left = keep(tmp_path / "left").path
    assert (orphans_sweep(), left.exists()) == (0, True)
    assert (orphans_sweep(timezone.now() + timedelta(days=2)), left.exists()) == (1, False)
    assert len(kept()) == 5


def test_folders_of_runs_and_probes_that_are_over_go(tmp_path: Path) -> None:
    for name in ("run-left", "probe-left", "probe-now", "other"):
        (tmp_path / name / "home").mkdir(parents=True)
        os.utime(tmp_path / name, (time.time() - 900, time.time() - 900) if name.endswith("left") else None)
    assert workspaces_sweep(tmp_path) == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other", "probe-now"]
