"""The panel: one primary action, off with a reason when the role or the facts speak against it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from releases.hotfixes.errors import HotfixError
from releases.hotfixes.models import Hotfix
from releases.hotfixes.requests import Standing, clean_up_ask, cut_ask, finish_ask
from releases.hotfixes.services import hotfix_choose_way, hotfix_close, hotfix_open, hotfix_review
from releases.hotfixes.steps import next_step
from releases.ledger.services import event_write
from releases.operations.models import Operation
from releases.operations.services import operation_request
from releases.policies.flow import FlowPolicy
from releases.tasks import operation_carry_out_here
from tests.factories import make_user
from tests.gitrepos import Repo, make_flow
from tests.hotfixes.playing import app, look, opened, track

pytestmark = pytest.mark.django_db


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    return make_flow(tmp_path)


@pytest.fixture
def engineer() -> Any:
    return make_user("robin", "engineer", email="robin@example.org", all_projects=True)


@pytest.fixture
def manager() -> Any:
    return make_user("morgan", "release-manager", email="morgan@example.org", all_projects=True)


def cut(repo: Repo, hotfix: Hotfix) -> Hotfix:
    repo.branch("hotfix/TICKET-7", "v1.0.0")
    repo.commit({"app.py": app((3, "mended"))}, "[HOTFIX] TICKET-7: mend", branch="hotfix/TICKET-7")
    look(hotfix.project)
    hotfix.refresh_from_db()
    return hotfix


def test_a_new_ticket_asks_for_triage(repo: Repo, engineer: Any) -> None:
    hotfix = hotfix_open(track(repo, FlowPolicy()), "TICKET-7", "Payments fail")
    step = next_step(hotfix, engineer)
    assert step.primary is not None
    assert (step.primary.kind, step.primary.allowed) == ("triage", True)
    viewer = next_step(hotfix, make_user("vera", "viewer")).primary
    assert viewer is not None
    assert (viewer.allowed, viewer.why_not) == (False, "This is for engineers; your role is viewer.")


def test_after_triage_a_way_is_chosen_then_the_branch_is_cut(repo: Repo, engineer: Any) -> None:
    hotfix = opened(track(repo, FlowPolicy()))
    step = next_step(hotfix, engineer)
    assert step.primary is not None
    assert step.primary.kind == "choose-way"
    hotfix = hotfix_choose_way(hotfix, "cut", "main holds what is not ready.", engineer)
    step = next_step(hotfix, engineer)
    assert step.primary is not None
    assert step.title == "Cut hotfix/TICKET-7 from v1.0.0"
    assert step.primary.params == {"branch": "hotfix/TICKET-7", "tag": "v1.0.0", "commit": repo.sha("v1.0.0")}
    assert step.primary.changes_remote
    assert step.commands[1] == "git switch -c hotfix/TICKET-7 refs/tags/v1.0.0"


def test_a_step_under_way_is_not_offered_twice(repo: Repo, engineer: Any) -> None:
    hotfix = opened(track(repo, FlowPolicy()))
    hotfix = hotfix_choose_way(hotfix, "cut", "As always.", engineer)
    ask = cut_ask(Standing(hotfix))
    operation_request(
        hotfix.project, ask.kind, ask.key, subject=ask.subject, params=ask.params, actor=engineer
    )  # fmt: skip
    primary = next_step(hotfix, engineer).primary
    assert primary is not None
    assert (primary.allowed, primary.why_not) == (False, "It is under way, asked by robin.")


def test_what_is_done_but_not_read_from_git_yet_is_not_offered_again(repo: Repo, engineer: Any) -> None:
    hotfix = opened(track(repo, FlowPolicy()))
    hotfix = hotfix_choose_way(hotfix, "cut", "As always.", engineer)
    ask = cut_ask(Standing(hotfix))
    operation, _made = operation_request(
        hotfix.project, ask.kind, ask.key, subject=ask.subject, params=ask.params, actor=engineer
    )  # fmt: skip
    operation_carry_out_here(operation.pk)
    primary = next_step(hotfix, engineer).primary
    assert primary is not None
    assert (primary.kind, primary.allowed) == ("cut", False)
    assert primary.why_not == "It is done. Git is being read again."
    repo.delete("hotfix/TICKET-7")
    look(hotfix.project)
    hotfix.refresh_from_db()
    again = next_step(hotfix, engineer).primary
    assert again is not None
    assert (again.kind, again.allowed) == ("cut", True)


def test_the_author_cannot_approve_but_others_can(repo: Repo, engineer: Any, manager: Any) -> None:
    hotfix = cut(repo, opened(track(repo, FlowPolicy())))
    own = next_step(hotfix, engineer).primary
    other = next_step(hotfix, manager).primary
    assert own is not None
    assert other is not None
    assert (own.kind, own.allowed) == ("review", False)
    assert "You wrote it" in own.why_not
    assert other.allowed


def test_finishing_needs_a_review_and_a_release_manager(repo: Repo, engineer: Any, manager: Any) -> None:
    hotfix = cut(repo, opened(track(repo, FlowPolicy())))
    with pytest.raises(HotfixError, match="not reviewed yet"):
        finish_ask(Standing(hotfix))
    hotfix_review(hotfix, "approve", "Small and tested.", hotfix.head, manager)
    hotfix.refresh_from_db()
    step = next_step(hotfix, manager)
    assert step.title == "Merge to main and tag v1.0.1"
    assert step.primary is not None
    assert step.primary.allowed
    assert step.primary.params == {
        "branch": "hotfix/TICKET-7", "head": hotfix.head, "production": "main", "tag": "v1.0.1", "method": "merge",
        "message": "",
    }  # fmt: skip
    mine = next_step(hotfix, engineer).primary
    assert mine is not None
    assert mine.why_not == "This is for release managers; your role is engineer."
    with pytest.raises(HotfixError, match=r"There is a tag v1\.0\.0 already"):
        finish_ask(Standing(hotfix), tag="v1.0.0")


def test_a_review_that_is_void_is_told_as_such(repo: Repo, engineer: Any, manager: Any) -> None:
    hotfix = cut(repo, opened(track(repo, FlowPolicy())))
    assert next_step(hotfix, manager).says.endswith("Approved by 0 of 1 so far.")
    hotfix_review(hotfix, "approve", "", hotfix.head, manager)
    repo.commit({"app.py": app((3, "again"))}, "[HOTFIX] TICKET-7: again", branch="hotfix/TICKET-7")
    look(hotfix.project)
    hotfix.refresh_from_db()
    assert next_step(hotfix, manager).says.endswith(". The branch moved since the last review.")


def test_merging_back_comes_first_as_long_as_anything_is_owed(repo: Repo, engineer: Any) -> None:
    repo.branch("release/1.1", "develop")
    hotfix = cut(repo, opened(track(repo, FlowPolicy())))
    repo.merge("hotfix/TICKET-7", "main")
    repo.tag("v1.0.1", "main", message="1.0.1")
    look(hotfix.project)
    hotfix.refresh_from_db()
    step = next_step(hotfix, engineer)
    assert step.says == "The fix is live and develop does not have it. Also owed to release/1.1."
    assert step.primary is not None
    assert (step.primary.kind, step.primary.params["target"]) == ("merge-back", "develop")
    assert [action.kind for action in step.others] == ["merge-back-all", "merge-back"]
    with pytest.raises(HotfixError, match=r"still owed to develop, release/1\.1"):
        clean_up_ask(Standing(hotfix))
    repo.merge("hotfix/TICKET-7", "develop")
    repo.merge("hotfix/TICKET-7", "release/1.1")
    look(hotfix.project)
    hotfix.refresh_from_db()
    step = next_step(hotfix, engineer)
    assert step.primary is not None
    assert (step.primary.kind, step.primary.allowed) == ("clean-up", True)
    assert step.primary.params["targets"] == ["develop", "release/1.1"]


def test_a_closed_ticket_offers_to_be_opened_again(repo: Repo, engineer: Any) -> None:
    hotfix = hotfix_close(opened(track(repo, FlowPolicy())), "abandoned", "Nobody is hurt any more.", engineer)
    step = next_step(hotfix, engineer)
    assert (step.title, step.says) == ("Abandoned by decision", "Nobody is hurt any more.")
    assert [action.kind for action in step.others] == ["reopen"]


def test_a_cancelled_operation_does_not_stand_in_the_way(repo: Repo, engineer: Any) -> None:
    hotfix = opened(track(repo, FlowPolicy()))
    hotfix = hotfix_choose_way(hotfix, "cut", "As always.", engineer)
    ask = cut_ask(Standing(hotfix))
    made, _new = operation_request(
        hotfix.project, ask.kind, ask.key, subject=ask.subject, params=ask.params, actor=engineer
    )  # fmt: skip
    Operation.objects.filter(pk=made.pk).update(state=Operation.State.FAILED)
    primary = next_step(hotfix, engineer).primary
    assert primary is not None
    assert primary.allowed


def test_a_failed_step_of_the_pipeline_says_so_and_merging_back_stays_at_hand(repo: Repo, engineer: Any) -> None:
    hotfix = cut(repo, opened(track(repo, FlowPolicy())))
    project = hotfix.project
    project.stages_told = ["tests", "build", "production"]
    project.save(update_fields=["stages_told"])
    repo.merge("hotfix/TICKET-7", "main")
    repo.tag("v1.0.1", "main", message="1.0.1")
    look(project)
    event_write("stage.tests", project_id=project.pk, subject="release:v1.0.1", new="failed", why="Regression test")
    look(project)
    hotfix.refresh_from_db()
    assert hotfix.stage == "tests"
    step = next_step(hotfix, engineer)
    assert step.title == "Tests: v1.0.1 needs a look"
    assert step.says.startswith("The pipeline stopped at “Regression test”.")
    assert "Owed to develop" in step.says
    assert "Merge back into develop" in [action.label for action in step.others if action.allowed]
