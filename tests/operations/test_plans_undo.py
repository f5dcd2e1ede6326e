"""Taking an unreleased change back to clear the way, and bringing it in again."""

from __future__ import annotations

from pathlib import Path

import pytest

from releases.operations.plan import Conflicted, Nothing, PlanRefused
from tests.operations.planning import LINES, Desk, line_changed, make_desk


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return make_desk(tmp_path)


def in_the_way(desk: Desk) -> list[str]:
    """Two unreleased commits on main, oldest first; the second builds on the first."""
    first = desk.repo.commit({"app.py": line_changed(9, "half done")}, "TICKET-7 begin", branch="main")
    second = desk.repo.commit({"app.py": line_changed(9, "all done")}, "TICKET-7 go on", branch="main")
    return [first, second]


def test_one_commit_is_reverted_in_words_that_every_tool_knows(desk: Desk) -> None:
    change = desk.repo.commit({"app.py": line_changed(9, "risky")}, "TICKET-7 risky change", branch="main")
    plan = desk.do("revert", branch="main", commits=[change], ticket="TICKET-1")
    assert desk.repo.read("main", "app.py") == LINES
    assert desk.message("main") == (
        f'Revert "TICKET-7 risky change"\n\nThis reverts commit {change}.\n\nTicket: TICKET-1'
    )
    assert desk.parents("main") == [change]
    assert plan.facts["reverts"] == [desk.repo.sha("main")]


def test_several_are_undone_newest_first_whatever_the_order_asked(desk: Desk) -> None:
    commits = in_the_way(desk)
    plan = desk.do("revert", branch="main", commits=commits, ticket="TICKET-1")
    assert desk.repo.read("main", "app.py") == LINES
    assert [undone for undone, _by in plan.facts["undone"]] == commits[::-1]
    assert plan.says == "Reverts 2 commits on main."


def test_what_was_reverted_comes_back_and_can_be_told(desk: Desk) -> None:
    commits = in_the_way(desk)
    reverts = desk.do("revert", branch="main", commits=commits, ticket="TICKET-1").facts["reverts"]
    desk.repo.commit({"other.py": "x\n"}, "Meanwhile", branch="main")
    plan = desk.do("re-apply", branch="main", reverts=reverts, ticket="TICKET-1")
    assert desk.repo.read("main", "app.py") == line_changed(9, "all done")
    assert len(plan.facts["reapplied"]) == 2
    subjects = desk.repo.git("log", "-2", "--format=%s", "main").split("\n")
    assert subjects == ['Reapply "TICKET-7 go on"', 'Reapply "TICKET-7 begin"']
    assert f"This reverts commit {reverts[0]}." in desk.message("main")


def test_a_merge_is_reverted_against_its_first_parent(desk: Desk) -> None:
    desk.repo.branch("feature", "main")
    desk.repo.commit({"app.py": line_changed(3, "one")}, "one", branch="feature")
    desk.repo.commit({"new.py": "x\n"}, "two", branch="feature")
    before = desk.repo.sha("main")
    merge = desk.repo.merge("feature", into="main")
    desk.do("revert", branch="main", commits=[merge], ticket="")
    assert desk.tree("main") == desk.tree(before)
    assert f"This reverts commit {merge}, reversing\nchanges made to {before}." in desk.message("main")
    assert "Ticket:" not in desk.message("main")


def test_planning_twice_gives_the_same_ids(desk: Desk) -> None:
    asked = {"branch": "main", "commits": in_the_way(desk), "ticket": "TICKET-1"}
    assert desk.plan("revert", **asked) == desk.plan("revert", **asked)


def test_what_is_undone_already_is_nothing_to_do(desk: Desk) -> None:
    commits = in_the_way(desk)
    reverts = desk.do("revert", branch="main", commits=commits, ticket="TICKET-1").facts["reverts"]
    assert isinstance(desk.plan("revert", branch="main", commits=commits, ticket="TICKET-1"), Nothing)
    desk.do("re-apply", branch="main", reverts=reverts, ticket="TICKET-1")
    assert isinstance(desk.plan("re-apply", branch="main", reverts=reverts, ticket="TICKET-1"), Nothing)
    desk.do("revert", branch="main", commits=commits, ticket="TICKET-1")
    assert desk.repo.read("main", "app.py") == LINES


def test_only_what_is_left_is_undone(desk: Desk) -> None:
    commits = in_the_way(desk)
    desk.do("revert", branch="main", commits=commits[1:], ticket="")
    plan = desk.do("revert", branch="main", commits=commits, ticket="")
    assert [undone for undone, _by in plan.facts["undone"]] == commits[:1]
    assert "TICKET-7 go on" in plan.notes[0]
    assert desk.repo.read("main", "app.py") == LINES


def test_an_empty_commit_has_nothing_to_undo(desk: Desk) -> None:
    empty = desk.repo.commit({}, "Trigger the build", branch="main")
    assert isinstance(desk.plan("revert", branch="main", commits=[empty], ticket=""), Nothing)


def test_a_conflict_names_the_commit_and_the_commands(desk: Desk) -> None:
    change = desk.repo.commit({"app.py": line_changed(9, "risky")}, "TICKET-7 risky", branch="main")
    tip = desk.repo.commit({"app.py": line_changed(9, "built on it")}, "TICKET-8 on top", branch="main")
    found = desk.plan("revert", branch="main", commits=[change], ticket="TICKET-1")
    assert isinstance(found, Conflicted)
    assert "TICKET-7 risky" in found.says
    assert found.commands[2] == f"git revert {change}"
    assert desk.repo.sha("main") == tip


def test_the_first_commit_of_all_can_be_undone(desk: Desk) -> None:
    root = desk.repo.git("rev-list", "--max-parents=0", "main")
    desk.do("revert", branch="main", commits=[root], ticket="")
    assert desk.repo.git("ls-tree", "main") == ""


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"commits": ["f" * 40]}, "not-there"),
        ({"commits": []}, "no-commits"),
        ({"commits": ["main~1"]}, "invalid-value"),
        ({"branch": "gone"}, "no-branch"),
        ({"branch": "--all"}, "invalid-value"),
    ],
)
def test_what_cannot_be_is_refused(desk: Desk, params: dict[str, object], code: str) -> None:
    asked: dict[str, object] = {"branch": "main", "commits": in_the_way(desk), "ticket": "TICKET-1"}
    with pytest.raises(PlanRefused) as refused:
        desk.plan("revert", **asked | params)
    assert refused.value.code == code


def test_a_commit_of_another_branch_is_refused(desk: Desk) -> None:
    with pytest.raises(PlanRefused, match="is not in") as refused:
        desk.plan("revert", branch="main", commits=[desk.repo.sha("develop")], ticket="")
    assert refused.value.code == "not-there"
