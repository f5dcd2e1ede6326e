"""What `manage.py serve` does before the first page, and what it says about a repository that it tracks at once."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from hotfixdash.accounts.models import User
from hotfixdash.supervisor import prepare
from hotfixdash.supervisor.console import Console
from releases.ledger.services import event_write
from releases.policies.flow import FlowPolicy
from releases.projects.models import Project
from tests.factories import make_fix, make_project, make_target, make_verdict
from tests.gitrepos import make_repo

pytestmark = pytest.mark.django_db


def test_first_look_waits_then_tells_the_guessed_policy() -> None:
    project = make_project("shop")
    look = prepare.FirstLook(project.pk)
    assert look("http://here") == ""
    project.policy = FlowPolicy().as_data()
    project.fetched_at = project.judged_at = timezone.now()
    project.save()
    event_write("policy.guessed", project_id=project.pk, why="There is a develop branch.")
    make_verdict(make_fix(project), make_target(project))
    said = look("http://here")
    assert "shop: 1 owed. There is a develop branch." in said
    assert "production: main" in said
    assert "develop, release/*" in said
    assert "http://here/projects/shop/settings/" in said


def test_first_look_tells_what_went_wrong() -> None:
    project = make_project("shop", error_text="The repository does not exist.")
    assert "shop: The repository does not exist. It is tried again" in prepare.FirstLook(project.pk)("http://here")


def test_first_look_ends_when_the_project_is_removed() -> None:
    assert "gone" in prepare.FirstLook(12345)("http://here")


def test_settings_page_that_is_named_exists() -> None:
    from django.urls import reverse

    assert reverse("releases:project-settings", args=["shop"]) == "/projects/shop/settings/"


def test_tracking_a_path_is_done_once(tmp_path: Path, settings: Any) -> None:
    repo = make_repo(tmp_path / "shop")
    path = str(getattr(repo, "path", tmp_path / "shop"))
    first = prepare.prepare_project(path)
    second = prepare.prepare_project(path)
    assert first.pk == second.pk
    assert Project.objects.get().remote_url == str(Path(path).resolve())
    assert User.objects.filter(is_demo=True).exists()


@pytest.mark.parametrize("typed", ["file://{}", "{}/", "file://{}/", "{}/.", " file://{}"])
def test_a_local_folder_may_be_written_in_many_ways(tmp_path: Path, typed: str) -> None:
    path = make_repo(tmp_path / "shop").path
    first = prepare.prepare_project(typed.format(path))
    assert prepare.prepare_project(typed.format(path)).pk == prepare.prepare_project(str(path)).pk == first.pk
    assert Project.objects.get().remote_url == str(path.resolve())


def test_the_command_that_is_printed_works_in_another_terminal(settings: Any, tmp_path: Path) -> None:
    User.objects.all().delete()
    settings.DATA_DIR = tmp_path / "a b"
    assert f"DATA_DIR='{tmp_path}/a b' .venv/bin/python manage.py account create" in prepare.greeting("http://here")
    settings.DATA_DIR = settings.BASE_DIR / "var"
    assert "  .venv/bin/python manage.py account create" in prepare.greeting("http://here")


def test_taken_names_get_a_number(tmp_path: Path) -> None:
    make_project("shop")
    assert prepare._free_name("shop") == "shop-2"


def test_demo_is_not_built_beside_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[str] = []
    monkeypatch.setattr(prepare, "call_command", lambda name, **options: called.append(name))
    console = Console(io.StringIO())
    make_project("shop")
    prepare.prepare_demo(console)
    assert called == []
    Project.objects.all().delete()
    prepare.prepare_demo(console)
    assert called == ["demo"]


def test_static_files_are_collected_again_only_when_one_changed(
    tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.STATIC_ROOT = tmp_path / "static"
    settings.STATICFILES_DIRS = [tmp_path / "own"]
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "a.css").write_text("a{}")
    prepare.prepare_static()
    collected = settings.STATIC_ROOT / "a.css"
    assert collected.read_text() == "a{}"
    collected.write_text("touched")
    prepare.prepare_static()
    assert collected.read_text() == "touched"
    (tmp_path / "own" / "b.css").write_text("b{}")
    prepare.prepare_static()
    assert (settings.STATIC_ROOT / "b.css").exists()
