"""The command line shows of a tracked project what people decided; a path to the same repository shows git alone."""

from __future__ import annotations

import json
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import timezone

from releases.policies.flow import FlowPolicy
from releases.policies.models import Verdict
from releases.policies.settling import settle_waive
from tests.factories import make_user
from tests.gitrepos import Repo, make_flow
from tests.hotfixes.playing import app, folder, look, track

pytestmark = pytest.mark.django_db


@pytest.fixture
def repo(tmp_path: Path, settings: Any) -> Repo:
    folder(tmp_path, settings)
    repo = make_flow(tmp_path)
    repo.commit({"app.py": app((3, "mended"))}, "TICKET-7 mend", branch="main")
    repo.tag("v1.0.1", "main", message="1.0.1")
    return repo


def ask(command: str, *args: str) -> tuple[dict[str, Any], int]:
    out = StringIO()
    code = 0
    try:
        call_command(command, *args, "--format", "json", stdout=out)
    except SystemExit as ended:
        code = int(ended.code or 0)
    return json.loads(out.getvalue()), code


def test_waived_for_the_project_and_missing_for_the_path(repo: Repo) -> None:
    project = track(repo, FlowPolicy())
    settle_waive(Verdict.objects.get(), "1.x ends.", timezone.now() + timedelta(days=9), make_user("morgan"))
    found, code = ask("mergeback", "shop", "--exit-code")
    verdict = found["fixes"][0]["verdicts"]["develop"]
    assert (verdict["verdict"], verdict["settled"], found["owed"], code) == ("waived", True, 0, 0)
    assert verdict["why"].startswith("Waived by morgan until ")
    bare, code = ask("mergeback", str(repo.path), "--production", "main", "--target", "develop", "--exit-code")
    assert (bare["fixes"][0]["verdicts"]["develop"]["verdict"], bare["owed"], code) == ("missing", 1, 1)
    assert set(bare["fixes"][0]["verdicts"]["develop"]) == set(verdict)
    gate, code = ask("gate", "shop", "--candidate", "develop")
    assert (gate["safe"], gate["kept"], code) == (True, 1, 0)
    look(project)


def test_a_decision_about_one_branch_says_nothing_about_another(repo: Repo) -> None:
    repo.branch("release/1.1", "develop")
    track(repo, FlowPolicy())
    settle_waive(Verdict.objects.get(target__branch="develop"), "Later.", timezone.now() + timedelta(days=9))
    gate, code = ask("gate", "shop", "--candidate", "release/1.1")
    assert (gate["safe"], code) == (False, 1)
