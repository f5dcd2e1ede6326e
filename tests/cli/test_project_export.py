"""`manage.py project export` and `apply`."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from releases.deploys.environment_services import environments_of, shipping_set_up
from releases.deploys.settings_services import pipeline_of, secret_set
from releases.ledger.models import Event
from releases.projects.models import Project
from tests.factories import make_project

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    project = make_project("shop")
    shipping_set_up(project)
    return project


def run(*args: str) -> tuple[int, str, str]:
    """Exit code, standard output, standard error."""
    out, err = io.StringIO(), io.StringIO()
    try:
        call_command("project", *args, stdout=out, stderr=err)
    except SystemExit as end:
        return int(end.code or 0), out.getvalue(), err.getvalue()
    return 0, out.getvalue(), err.getvalue()


def test_it_leaves_as_text_and_comes_back(project: Project, tmp_path: Path) -> None:
    secret_set(project, "TOKEN", "hunter2-hunter2")
    text = run("export", "shop")[1]
    assert "hunter2" not in text
    file = tmp_path / "shop.toml"
    file.write_text(text)
    assert run("apply", "shop", str(file), "--exit-code") == (0, "Nothing is to be changed.\n", "")
    file.write_text(text.replace("approvals = 1", "approvals = 3").replace("make test-critical", "make quick"))
    code, out, err = run("apply", "shop", str(file), "--dry-run", "--exit-code")
    assert code == 1
    assert out.splitlines() == [
        "production: approvals changed.", "The pipeline gets version 2.", "Step Critical tests: run changed.",
    ]  # fmt: skip
    assert "dry run" in err
    assert environments_of(project)[2].approvals == 1
    assert run("apply", "shop", str(file), "--note", "Be quick")[1] == out
    now = pipeline_of(project)
    assert now is not None
    assert (now.version, now.note, environments_of(project)[2].approvals) == (2, "Be quick", 3)
    assert Event.objects.filter(kind="pipeline.saved").latest("pk").actor_name == "operator"


def test_scripts_get_json(project: Project, tmp_path: Path) -> None:
    file = tmp_path / "shop.toml"
    file.write_text('secrets = ["TOKEN"]\n[[environments]]\nname = "live"\n')
    code, out, _err = run("apply", "shop", str(file), "--dry-run", "--format", "json")
    assert code == 0
    answer = json.loads(out)
    assert answer["applied"] is False
    assert "The environment live is added." in answer["changes"]
    assert answer["missing"] == ["The secret TOKEN has no value yet."]
    file.write_text("[[environments]]\nname = 'a'\nkind = 'moon'\nother = 1")
    code, out, _err = run("apply", "shop", str(file), "--format", "json")
    assert code == 2
    assert len(json.loads(out)["error"]["problems"]) == 2


def test_it_is_read_from_standard_input(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO('[[environments]]\nname = "live"\n'))
    assert "The environment live is added." in run("apply", "shop", "-")[1]


@pytest.mark.parametrize("text", ["a =", "environments = 1", '[[environments]]\nname = "A B"'])
def test_a_file_with_a_fault_ends_with_two_and_changes_nothing(project: Project, tmp_path: Path, text: str) -> None:
    file = tmp_path / "shop.toml"
    file.write_text(text)
    before = Event.objects.count()
    with pytest.raises(CommandError) as fault:
        run("apply", "shop", str(file))
    assert fault.value.returncode == 2
    assert Event.objects.count() == before


def test_a_file_that_cannot_be_read_is_said_so(project: Project, tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    for name in ("binary", "missing"):
        with pytest.raises(CommandError, match="cannot be read as text"):
            run("apply", "shop", str(tmp_path / name))
