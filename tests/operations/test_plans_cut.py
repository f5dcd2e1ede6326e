"""Cutting a hotfix branch: from the exact production tag, never from where main has moved on to."""

from __future__ import annotations

from pathlib import Path

import pytest

from releases.operations.plan import Nothing, Plan, PlanRefused
from tests.operations.planning import Desk, make_desk


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return make_desk(tmp_path)


def test_the_branch_starts_at_the_tag_even_when_main_has_moved_on(desk: Desk) -> None:
    released = desk.repo.sha("v1.2.0")
    desk.repo.commit({"other.py": "x\n"}, "Not released yet", branch="main")
    plan = desk.do("cut", branch="hotfix/TICKET-2", tag="v1.2.0", commit=released)
    assert desk.repo.sha("hotfix/TICKET-2") == released
    assert plan.says == "Makes hotfix/TICKET-2 at v1.2.0."
    assert plan.facts == {"branch": "hotfix/TICKET-2", "commit": released, "tag": "v1.2.0"}


def test_the_same_request_again_finds_nothing_to_do(desk: Desk) -> None:
    desk.do("cut", branch="hotfix/TICKET-2", tag="v1.2.0")
    again = desk.plan("cut", branch="hotfix/TICKET-2", tag="v1.2.0")
    assert isinstance(again, Nothing)
    assert "is there already" in again.says


def test_a_branch_that_is_there_with_other_commits_is_left_alone(desk: Desk) -> None:
    with pytest.raises(PlanRefused, match="already") as refused:
        desk.plan("cut", branch="hotfix/TICKET-1", tag="v1.2.0")
    assert refused.value.code == "branch-exists"
    assert not refused.value.retryable


def test_a_tag_that_was_moved_or_deleted_is_named(desk: Desk) -> None:
    released = desk.repo.sha("v1.2.0")
    desk.repo.tag("v1.2.0", "develop")
    with pytest.raises(PlanRefused, match="moved") as refused:
        desk.plan("cut", branch="hotfix/TICKET-2", tag="v1.2.0", commit=released)
    assert refused.value.code == "tag-moved"
    desk.repo.delete("refs/tags/v1.2.0")
    with pytest.raises(PlanRefused) as refused:
        desk.plan("cut", branch="hotfix/TICKET-2", tag="v1.2.0", commit=released)
    assert refused.value.code == "no-tag"


def test_a_tag_of_a_file_is_no_release(desk: Desk) -> None:
    blob = desk.repo.write("blob", b"not a commit\n")
    desk.repo.set_ref("refs/tags/v9", blob)
    with pytest.raises(PlanRefused) as refused:
        desk.plan("cut", branch="hotfix/TICKET-2", tag="v9")
    assert refused.value.code == "no-commit"


def test_a_repository_without_releases_starts_from_a_commit(desk: Desk) -> None:
    desk.repo.delete("refs/tags/v1.2.0")
    tip = desk.repo.sha("main")
    assert isinstance(desk.plan("cut", branch="hotfix/TICKET-2", tag="", commit=tip), Plan)
    for commit in ("", "0" * 40, "f" * 40):
        with pytest.raises(PlanRefused):
            desk.plan("cut", branch="hotfix/TICKET-2", tag="", commit=commit)


@pytest.mark.parametrize(
    "name",
    ["", "-d", "--upload-pack=touch /tmp/x", "a..b", "a b", "a\nb", "a\x1b[2J", "a~1", "a:b", "/a", "a/", "a.lock", "@",
     "HEAD", "a\u202eb", "a\\b", "refs/heads/", "x" * 10_000, "hotfix/*", "a?b"],
)  # fmt: skip
def test_hostile_names_are_refused_with_a_sentence(desk: Desk, name: str) -> None:
    with pytest.raises(PlanRefused) as refused:
        desk.plan("cut", branch=name, tag="v1.2.0")
    assert refused.value.code == "invalid-value"
    assert len(refused.value.sentence) < 400
    assert refused.value.sentence.isprintable()


@pytest.mark.parametrize(
    "name", ["hotfix/$(touch${IFS}x)", "hotfix/`id`", "hotfix/a;b|c&d", "hotfix/<b>x</b>", "hotfix/ä'\""]
)
def test_odd_names_that_git_allows_do_no_harm(desk: Desk, name: str) -> None:
    desk.do("cut", branch=name, tag="v1.2.0")
    assert desk.repo.git("rev-parse", f"refs/heads/{name}") == desk.repo.sha("v1.2.0")


@pytest.mark.parametrize("name", ["hotfix", "hotfix/TICKET-1/again"])
def test_a_name_that_cannot_stand_beside_another_is_refused(desk: Desk, name: str) -> None:
    with pytest.raises(PlanRefused, match="beside") as refused:
        desk.plan("cut", branch=name, tag="v1.2.0")
    assert refused.value.code == "name-taken"


@pytest.mark.parametrize("commit", ["main", "--all", "HEAD", "12345", ["x"]])
def test_what_is_no_object_id_is_refused(desk: Desk, commit: object) -> None:
    with pytest.raises(PlanRefused):
        desk.plan("cut", branch="hotfix/TICKET-2", tag="", commit=commit)
