"""The demo in the dashboard: complete after the first run, complete after a kill, removed without touching others."""

from __future__ import annotations

import shutil
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from hotfixdash.accounts.models import User
from releases.demo import install
from releases.demo.build import CATALOGUE, build
from releases.policies.models import Fix, Target, Verdict
from releases.policies.overview import owed_count
from releases.projects.models import FetchRun, Project
from releases.projects.services import project_add

from .conftest import NOW

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def data_dir(tmp_path: Path, settings: Any) -> Path:
    settings.DATA_DIR = tmp_path
    settings.MIRROR_DIR = tmp_path / "mirrors"
    settings.EVIDENCE_DIR = tmp_path / "evidence"
    settings.GIT_ALLOWED_ROOTS = [str(tmp_path / "demo")]
    return tmp_path


def demo(*args: str, **options: Any) -> str:
    out = StringIO()
    call_command("demo", *args, stdout=out, **options)
    return out.getvalue()


def test_the_first_run_fills_everything_and_a_second_changes_nothing() -> None:
    """One run for all that can be said of it: it takes seconds."""
    said = demo()
    the_first_page_is_filled(said)
    every_preview_is_there()
    the_open_release_ships_tomorrow_at_ten()
    before = list(Project.objects.values_list("pk", "created_at")), FetchRun.objects.count()
    demo(verbosity=0)
    assert (list(Project.objects.values_list("pk", "created_at")), FetchRun.objects.count()) == before


def the_first_page_is_filled(said: str) -> None:
    assert set(Project.objects.values_list("name", flat=True)) == {entry.app.name for entry in CATALOGUE}
    assert not Project.objects.exclude(error_code="").exists()
    assert not Project.objects.filter(judged_at=None).exists()
    assert owed_count(User.objects.get(username="viewer")) == 4
    assert Verdict.objects.filter(owed=True, target__kind=Target.Kind.DEVELOP).count() == 4
    oldest = Fix.objects.filter(verdicts__owed=True, verdicts__target__branch="develop").order_by("live_since").first()
    assert oldest is not None
    assert oldest.ticket == "TICKET-1192"
    assert timedelta(days=9, hours=3) <= timezone.now() - oldest.live_since < timedelta(days=9, hours=4)
    for name in ("viewer", "engineer", "manager", "admin"):
        assert name in said


def every_preview_is_there() -> None:
    assert not Verdict.objects.filter(owed=True, code__in=["missing", "partial", "reverted"], preview=None).exists()


def the_open_release_ships_tomorrow_at_ten() -> None:
    planned = Target.objects.get(project__name="checkout-api", branch="release/1.3").planned_for
    assert planned is not None
    local = timezone.localtime(planned)
    assert (local.hour, local.minute) == (10, 0)
    assert local.date() == timezone.localdate() + timedelta(days=1)


@pytest.mark.long
def test_a_run_that_was_killed_while_judging_is_finished_by_the_next() -> None:
    judged: list[int] = []

    def power_cut(run_pk: int) -> None:
        judged.append(run_pk)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        install.demo_install(power_cut, lambda _: None)
    assert len(judged) == 1
    assert Project.objects.count() == len(CATALOGUE)
    demo(verbosity=0)
    assert not Project.objects.filter(judged_at=None).exists()
    assert Target.objects.get(branch="release/1.3").planned_for is not None


@pytest.mark.long
def test_a_run_that_was_killed_while_building_starts_again(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def half(entry: Any, folder: Path, now: int) -> Path:
        if entry is CATALOGUE[2]:
            raise KeyboardInterrupt
        return build(entry, folder, now)

    with monkeypatch.context() as patched:
        patched.setattr(install, "build", half)
        with pytest.raises(KeyboardInterrupt):
            demo(verbosity=0)
    assert Project.objects.count() == 0
    demo(verbosity=0)
    assert Project.objects.count() == len(CATALOGUE)


@pytest.fixture
def own(data_dir: Path) -> Project:
    """A project that is not the demo's, by the same path of names."""
    remote = build(CATALOGUE[3], data_dir / "own", NOW)
    project, _ = project_add("own", str(remote), operator=True)
    return project


def test_it_is_for_an_empty_dashboard(own: Project) -> None:
    with pytest.raises(CommandError, match="tracked already"):
        demo()
    assert list(Project.objects.all()) == [own]


@pytest.mark.long
def test_reset_builds_it_anew_and_leaves_others_alone(own: Project, data_dir: Path) -> None:
    demo("--reset", verbosity=0)
    first = {project.pk for project in install.demo_projects()}
    remote = data_dir / "demo" / "ledger.git"
    shutil.rmtree(remote)
    demo("--reset", verbosity=0)
    again = {project.pk for project in install.demo_projects()}
    assert len(again) == len(CATALOGUE)
    assert not first & again
    assert remote.is_dir()
    assert Project.objects.filter(pk=own.pk, remote_url=own.remote_url).exists()
    assert owed_count(User.objects.get(username="admin")) == 4


@pytest.mark.long
def test_no_mirror_of_a_removed_demo_stays(data_dir: Path) -> None:
    demo(verbosity=0)
    mirrors = data_dir / "mirrors"
    assert len(list(mirrors.iterdir())) >= len(CATALOGUE)
    assert install.demo_remove() == len(CATALOGUE)
    # Lock files stay: another process may hold one.
    assert [path.name for path in mirrors.iterdir() if path.is_dir()] == []


@pytest.mark.long
def test_without_a_loopback_address_nobody_gets_a_public_password(settings: Any) -> None:
    settings.DEMO_LOGINS_ALLOWED = False
    settings.HOST = "192.0.2.7"
    said = demo()
    assert not User.objects.exists()
    assert "switched off" in said
    assert "-demo" not in said.replace("checkout", "")
