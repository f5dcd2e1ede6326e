"""Tagging the head of a branch by itself: the next patch version or the day, once per commit."""

from __future__ import annotations

from pathlib import Path

import pytest

from releases.git.commits import Person
from releases.git.push import LeaseLost
from releases.operations.plan import Nothing, Plan, PlanRefused
from releases.operations.plans import PLANNERS
from releases.operations.plans.planning import Planning
from releases.policies.flow import PRESETS, Preset
from tests.gitrepos import make_repo
from tests.operations.planning import ASKED, Desk

TRUNK = PRESETS[Preset.TRUNK]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """A trunk with v1.2.0 and two commits since."""
    repo = make_repo(tmp_path)
    repo.commit({"app.py": "1\n"}, "Start")
    repo.tag("v1.2.0", message="Version 1.2.0")
    repo.commit({"app.py": "2\n"}, "Say hello")
    repo.commit({"app.py": "3\n"}, "Say goodbye")
    return Desk(tmp_path, repo, TRUNK)


def asked(desk: Desk, **more: object) -> dict[str, object]:
    return {"branch": "main", "head": desk.repo.sha("main"), **more}


def test_the_head_gets_the_next_patch_version_and_says_what_is_new(desk: Desk) -> None:
    plan = desk.do("tag", **asked(desk))
    assert plan.facts["tag"] == "v1.2.1"
    assert desk.repo.git("rev-parse", "v1.2.1^{commit}") == desk.repo.sha("main")
    message = desk.repo.git("tag", "-l", "--format=%(contents)", "v1.2.1")
    assert message.splitlines()[0] == "v1.2.1"
    assert message.splitlines()[2:4] == ["- Say goodbye", "- Say hello"]
    assert "Start" not in message


def test_a_commit_that_has_a_release_gets_no_second_one(desk: Desk) -> None:
    desk.do("tag", **asked(desk))
    result = desk.plan("tag", **asked(desk))
    assert isinstance(result, Nothing)
    assert result.facts["tag"] == "v1.2.1"


def test_a_commit_that_a_later_release_has_is_not_tagged_above_it(desk: Desk) -> None:
    old = asked(desk)
    desk.repo.commit({"app.py": "4\n"}, "Later")
    desk.do("tag", **asked(desk))
    result = desk.plan("tag", **old)
    assert isinstance(result, Nothing)


def test_the_very_commit_is_tagged_though_the_branch_moved_on(desk: Desk) -> None:
    old = asked(desk)
    desk.repo.commit({"app.py": "4\n"}, "Later")
    desk.do("tag", **old)
    assert desk.repo.git("rev-parse", "v1.2.1^{commit}") == old["head"]


def test_a_commit_that_the_branch_lost_is_refused(desk: Desk) -> None:
    old = asked(desk)
    desk.plan("tag", **old)  # The mirror has the commit from now on.
    desk.repo.git("update-ref", "refs/heads/main", "v1.2.0^{commit}")
    desk.repo.commit({"app.py": "other\n"}, "Another way")
    with pytest.raises(PlanRefused, match="does not have") as refused:
        desk.plan("tag", **old)
    assert not refused.value.retryable


def test_planning_again_gives_the_same_tag_object(desk: Desk) -> None:
    first, second = desk.plan("tag", **asked(desk)), desk.plan("tag", **asked(desk))
    assert isinstance(first, Plan)
    assert first.updates == second.updates


def test_a_name_that_somebody_takes_meanwhile_is_not_overwritten(desk: Desk) -> None:
    with desk.mirror.changing() as session:
        plan = PLANNERS["tag"](Planning(session.git_dir, session.refs, TRUNK, asked(desk), ASKED, 0))
        assert isinstance(plan, Plan)
        desk.repo.tag("v1.2.1", "v1.2.0", message="By hand")
        with pytest.raises(LeaseLost):
            session.push(plan.updates)
    assert desk.do("tag", **asked(desk)).facts["tag"] == "v1.2.2"


def test_named_by_the_day_it_was_asked_for_and_the_second_one_of_the_day_too(desk: Desk) -> None:
    first = desk.do("tag", **asked(desk, naming="date"))
    assert first.facts["tag"] == "v2026.1.9"
    desk.repo.commit({"app.py": "4\n"}, "Later")
    assert desk.do("tag", **asked(desk, naming="date")).facts["tag"] == "v2026.1.9.1"
    tomorrow = Person(ASKED.name, ASKED.email, ASKED.at + 86_400)
    desk.repo.commit({"app.py": "5\n"}, "Next day")
    assert desk.plan("tag", person=tomorrow, **asked(desk, naming="date")).facts["tag"] == "v2026.1.10"


def test_a_day_below_the_last_version_is_refused(desk: Desk) -> None:
    desk.repo.tag("v9000.1.0", "v1.2.0")
    with pytest.raises(PlanRefused, match="above every version"):
        desk.plan("tag", **asked(desk, naming="date"))


def test_the_first_release_of_all(tmp_path: Path) -> None:
    repo = make_repo(tmp_path)
    repo.commit({"app.py": "1\n"}, "Start")
    desk = Desk(tmp_path, repo, TRUNK)
    assert desk.do("tag", **asked(desk)).facts["tag"] == "v0.1.0"


def test_pre_releases_and_names_that_are_no_versions_count_for_nothing(desk: Desk) -> None:
    desk.repo.tag("v1.3.0-rc.1")
    desk.repo.tag("nightly")
    assert desk.do("tag", **asked(desk)).facts["tag"] == "v1.2.1"


@pytest.mark.parametrize("params", [{"naming": "mood"}, {"head": ""}, {"branch": "nowhere"}])
def test_what_cannot_be_is_refused(desk: Desk, params: dict[str, object]) -> None:
    with pytest.raises(PlanRefused):
        desk.plan("tag", **asked(desk, **params))
