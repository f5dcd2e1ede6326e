"""A hotfix under GitFlow, carried through its life by git alone; the ticket follows."""

from __future__ import annotations

from pathlib import Path

import pytest

from releases.hotfixes.models import Hotfix
from releases.ledger.models import Event
from releases.policies.flow import FlowPolicy
from tests.gitrepos import Repo, make_flow
from tests.hotfixes.playing import app, look, opened, stage, states, track

pytestmark = pytest.mark.django_db


def play(repo: Repo) -> Hotfix:
    project = track(repo, FlowPolicy())
    return opened(project)


def test_the_whole_life_by_git_alone(tmp_path: Path) -> None:
    repo = make_flow(tmp_path)
    repo.branch("release/1.1", "develop")
    hotfix = play(repo)
    project = hotfix.project
    assert states(hotfix)["triage"] == "done"
    assert hotfix.stage == "branch"

    repo.branch("hotfix/TICKET-7", "v1.0.0")
    look(project)
    assert stage(hotfix, "branch").detail == "from v1.0.0"
    assert (hotfix.branch, hotfix.base_tag, hotfix.stage) == ("hotfix/TICKET-7", "v1.0.0", "fix")

    repo.commit({"app.py": app((3, "mended"))}, "[HOTFIX] TICKET-7: mend payments", branch="hotfix/TICKET-7")
    look(project)
    assert stage(hotfix, "fix").detail == "1 commit"
    assert hotfix.stage == "review"
    assert (hotfix.change["files"], hotfix.change["added"], hotfix.change["removed"]) == (1, 1, 1)

    repo.merge("hotfix/TICKET-7", "main")
    repo.tag("v1.0.1", "main", message="Version 1.0.1")
    look(project)
    found = states(hotfix)
    assert (found["tag"], found["production"], found["merge-back"]) == ("done", "done", "owed")
    assert (hotfix.tag, hotfix.owed_count) == ("v1.0.1", 2)
    assert stage(hotfix, "merge-back").detail == "owed to 2 branches"

    repo.merge("hotfix/TICKET-7", "develop")
    look(project)
    assert stage(hotfix, "merge-back").detail == "owed to release/1.1"

    repo.pick("hotfix/TICKET-7", "release/1.1")
    look(project)
    assert states(hotfix)["merge-back"] == "done"
    assert hotfix.stage == "clean-up"
    assert hotfix.finished_at is None

    repo.git("update-ref", "-d", "refs/heads/hotfix/TICKET-7")
    look(project)
    assert states(hotfix)["clean-up"] == "done"
    assert hotfix.finished_at is not None
    told = Event.objects.filter(subject="hotfix:TICKET-7", kind="hotfix.stage").order_by("pk")
    assert [(event.target, event.new) for event in told] == [
        ("branch", "done"), ("fix", "done"), ("tag", "done"), ("production", "done"), ("merge-back", "owed"),
        ("merge-back", "done"), ("clean-up", "done"),
    ]  # fmt: skip
    count = Event.objects.count()
    look(project)
    assert Event.objects.count() == count


def test_nobody_has_to_review_for_git_to_move_on(tmp_path: Path) -> None:
    repo = make_flow(tmp_path)
    hotfix = play(repo)
    repo.branch("hotfix/TICKET-7", "v1.0.0")
    repo.commit({"app.py": app((3, "mended"))}, "[HOTFIX] TICKET-7: mend", branch="hotfix/TICKET-7")
    repo.merge("hotfix/TICKET-7", "main")
    repo.tag("v1.0.1", "main", message="1.0.1")
    look(hotfix.project)
    assert stage(hotfix, "review").detail == "went out without a review"
