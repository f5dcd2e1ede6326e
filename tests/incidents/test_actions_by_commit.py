"""Action items that commits close, on real git: only in production, not when taken back, again when brought back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from incidents.postmortems.actions import action_add, action_set, actions_observe
from incidents.postmortems.models import ActionItem, PostMortem
from incidents.postmortems.opening import postmortem_open
from releases.ledger.models import Event
from releases.projects.models import Project
from releases.projects.services import fetch_request
from releases.tasks import fetch_carry_out
from tests.factories import make_project, make_user
from tests.gitrepos import Repo, make_flow
from tests.hotfixes.playing import folder

pytestmark = pytest.mark.django_db


@pytest.fixture
def repo(tmp_path: Path, settings: Any) -> Repo:
    folder(tmp_path, settings)
    return make_flow(tmp_path)


@pytest.fixture
def project(repo: Repo) -> Project:
    return make_project("shop", remote_url=str(repo.path), operator_path=True)


@pytest.fixture
def document(project: Project) -> PostMortem:
    return postmortem_open(project, "Cards failed", severity=2, owner=make_user("mira"))


def look(project: Project) -> None:
    fetch_carry_out(fetch_request(project, "command").pk)
    project.refresh_from_db()
    assert project.error_text == ""
    actions_observe(project)


def state(item: ActionItem) -> tuple[str, str]:
    item.refresh_from_db()
    return item.state, item.done_by


def test_a_commit_in_production_closes_it_and_its_revert_opens_it_again(
    repo: Repo, project: Project, document: PostMortem
) -> None:
    item = action_add(document, "Refuse a timeout without a unit", "prevent")
    other = action_add(document, "Another", "detect")
    sha = repo.commit({"unit.py": "1\n"}, f"Refuse it\n\nAction: {item.key}", branch="develop")
    look(project)
    assert state(item) == ("open", "")
    sha = repo.commit({"unit.py": "1\n"}, f"Refuse it\n\nSome text.\n\naction:  {item.key.lower()}", branch="main")
    look(project)
    assert state(item) == ("done", sha)
    assert state(other) == ("open", "")
    undo = repo.commit({"unit.py": ""}, f'Revert "Refuse it"\n\nThis reverts commit {sha}.', branch="main")
    look(project)
    assert state(item) == ("open", "")
    assert item.undone_by == undo
    repo.commit({"unit.py": "1\n"}, f'Revert "Revert"\n\nThis reverts commit {undo}.', branch="main")
    look(project)
    assert state(item) == ("done", sha)
    kinds = [kind for kind in Event.objects.order_by("pk").values_list("kind", flat=True) if kind.startswith("action.")]
    assert kinds == ["action.added", "action.added", "action.done", "action.reopened", "action.done"]


def test_looking_again_changes_nothing_and_a_persons_word_stands(
    repo: Repo, project: Project, document: PostMortem
) -> None:
    item = action_add(document, "Refuse it", "prevent")
    repo.commit({"unit.py": "1\n"}, f"Refuse it\n\nAction: {item.key}", branch="main")
    look(project)
    assert actions_observe(project) == 0
    by_hand = action_add(document, "Train the team", "process")
    action_set(by_hand, "done", "Held on Monday.")
    assert actions_observe(project) == 0
    assert state(by_hand) == ("done", "")
    dropped = action_add(document, "Dropped", "process")
    action_set(dropped, "dropped", "Not needed.")
    repo.commit({"x.py": "1\n"}, f"x\n\nAction: {dropped.key}", branch="main")
    look(project)
    assert state(dropped)[0] == "dropped"


def test_nothing_changes_while_git_cannot_be_asked(project: Project, document: PostMortem) -> None:
    item = action_add(document, "Refuse it", "prevent")
    ActionItem.objects.filter(pk=item.pk).update(state="done", done_by="a" * 40)
    from tests.factories import make_ref

    make_ref(project)
    assert actions_observe(project) == 0
    assert state(item)[0] == "done"
