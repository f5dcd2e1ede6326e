"""Finishing a hotfix: one merge, one tag, one push, and nothing but the fix in what is tagged."""

from __future__ import annotations

from pathlib import Path

import pytest

from releases.git.mirror import Mirror
from releases.git.push import LeaseLost
from releases.git.remotes import RemotePolicy
from releases.operations.plan import Conflicted, Nothing, Plan, PlanRefused
from releases.operations.plans import PLANNERS
from releases.operations.plans.planning import Planning
from releases.policies.flow import PRESETS, FlowPolicy, Preset
from tests.operations.planning import ASKED, Desk, line_changed, make_desk
from tests.operations.sha256 import make_sha256_flow

FINISH = {"branch": "hotfix/TICKET-1", "production": "main", "tag": "v1.2.1", "message": "[HOTFIX] TICKET-1: mend"}


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return make_desk(tmp_path)


def test_a_merge_commit_and_an_annotated_tag_in_one_push(desk: Desk) -> None:
    before, head = desk.repo.sha("main"), desk.repo.sha("hotfix/TICKET-1")
    plan = desk.do("finish", **FINISH)
    assert desk.parents("main") == [before, head]
    assert desk.message("main").startswith("Merge branch 'hotfix/TICKET-1' into main\n\n[HOTFIX] TICKET-1: mend")
    assert desk.repo.git("cat-file", "-t", "refs/tags/v1.2.1") == "tag"
    assert desk.repo.sha("v1.2.1") == desk.repo.sha("main") == plan.facts["merge"] == plan.facts["tagged"]
    assert "[HOTFIX] TICKET-1: mend" in desk.repo.git("cat-file", "tag", "v1.2.1")
    assert [update.name for update in plan.updates] == ["refs/heads/main", "refs/tags/v1.2.1"]
    assert plan.notes == ()


def test_the_dates_and_the_person_are_those_of_the_request(desk: Desk) -> None:
    desk.do("finish", **FINISH)
    said = desk.repo.git("log", "-1", "--format=%an|%ae|%at|%cn|%ct", "main")
    assert said == f"Aiko|aiko@example.org|{ASKED.at}|Aiko|{ASKED.at}"
    assert f"tagger Aiko <aiko@example.org> {ASKED.at} +0000" in desk.repo.git("cat-file", "tag", "v1.2.1")


def test_planning_twice_gives_the_same_ids(desk: Desk) -> None:
    assert desk.plan("finish", **FINISH) == desk.plan("finish", **FINISH)


def test_what_is_tagged_differs_from_production_by_the_fix_alone(desk: Desk) -> None:
    desk.do("finish", **FINISH)
    assert desk.repo.git("diff", "--name-only", "v1.2.0", "v1.2.1") == "app.py"
    assert desk.repo.git("diff", "v1.2.0", "v1.2.1") == desk.repo.git("diff", "v1.2.0", "hotfix/TICKET-1")


def test_the_branch_is_tagged_where_main_holds_something_unreleased(desk: Desk) -> None:
    desk.repo.commit({"unreleased.py": "secret = 1\n"}, "Not released yet", branch="main")
    head = desk.repo.sha("hotfix/TICKET-1")
    plan = desk.do("finish", **FINISH)
    assert desk.repo.sha("v1.2.1") == head != desk.repo.sha("main")
    assert desk.repo.git("diff", "--name-only", "v1.2.0", "v1.2.1") == "app.py"
    assert desk.parents("main")[1] == head
    assert "not released yet" in plan.notes[0]
    assert plan.says == "Brings hotfix/TICKET-1 into main and tags the tip of hotfix/TICKET-1 v1.2.1."


def test_merges_on_main_that_change_nothing_do_not_count_as_unreleased(desk: Desk) -> None:
    """The release came to main by a merge whose files are those of the tag."""
    desk.repo.branch("release/1.2", "v1.2.0")
    released = desk.repo.commit({"notes.txt": "1.2.1\n"}, "Release notes", branch="release/1.2")
    desk.repo.tag("v1.2.1", released, message="Version 1.2.1")
    desk.repo.merge("release/1.2", into="main")
    desk.repo.branch("hotfix/TICKET-2", "v1.2.1")
    desk.repo.commit({"app.py": line_changed(9, "mended too")}, "[HOTFIX] TICKET-2: mend", branch="hotfix/TICKET-2")
    plan = desk.do("finish", **FINISH | {"branch": "hotfix/TICKET-2", "tag": "v1.2.2"})
    assert desk.repo.sha("v1.2.2") == desk.repo.sha("main")
    assert plan.notes == ()
    assert plan.facts["base_tag"] == "v1.2.1"


def test_a_branch_that_was_cut_from_a_moved_on_main_is_refused(desk: Desk) -> None:
    desk.repo.commit({"unreleased.py": "secret = 1\n"}, "TICKET-8 not released", branch="main")
    desk.repo.branch("hotfix/TICKET-3", "main")
    desk.repo.commit({"app.py": line_changed(9, "x")}, "[HOTFIX] TICKET-3: mend", branch="hotfix/TICKET-3")
    with pytest.raises(PlanRefused, match="TICKET-8 not released") as refused:
        desk.plan("finish", **FINISH | {"branch": "hotfix/TICKET-3"})
    assert refused.value.code == "not-alone"


def test_a_second_hotfix_from_the_same_release_takes_the_first_one_along(desk: Desk) -> None:
    """Both started from v1.2.0; the second is tagged on the merge, which holds both."""
    desk.repo.branch("hotfix/TICKET-2", "v1.2.0")
    desk.repo.commit({"app.py": line_changed(30, "second")}, "[HOTFIX] TICKET-2: mend", branch="hotfix/TICKET-2")
    desk.do("finish", **FINISH)
    desk.do("finish", **FINISH | {"branch": "hotfix/TICKET-2", "tag": "v1.2.2"})
    assert desk.repo.sha("v1.2.2") == desk.repo.sha("main")
    text = desk.repo.read("v1.2.2", "app.py")
    assert "mended\n" in text
    assert "second\n" in text


def test_a_branch_behind_production_is_refused_where_its_tip_would_have_to_be_tagged(desk: Desk) -> None:
    desk.repo.branch("hotfix/TICKET-2", "v1.2.0")
    desk.repo.commit({"app.py": line_changed(30, "second")}, "[HOTFIX] TICKET-2: mend", branch="hotfix/TICKET-2")
    desk.do("finish", **FINISH)
    desk.repo.commit({"unreleased.py": "secret = 1\n"}, "Not released yet", branch="main")
    with pytest.raises(PlanRefused, match=r"has v1\.2\.1 by now") as refused:
        desk.plan("finish", **FINISH | {"branch": "hotfix/TICKET-2", "tag": "v1.2.2"})
    assert refused.value.code == "behind"


def test_a_fast_forward_where_production_has_not_moved(desk: Desk) -> None:
    head = desk.repo.sha("hotfix/TICKET-1")
    desk.do("finish", **FINISH, method="ff")
    assert desk.repo.sha("main") == desk.repo.sha("v1.2.1") == head


def test_a_merge_instead_of_a_fast_forward_where_production_has_moved(desk: Desk) -> None:
    desk.repo.commit({"unreleased.py": "x\n"}, "Not released yet", branch="main")
    plan = desk.do("finish", **FINISH, method="ff")
    assert len(desk.parents("main")) == 2
    assert "not a fast-forward" in plan.notes[0]


def test_squashed_into_one_commit_of_the_author(desk: Desk) -> None:
    desk.repo.commit({"app.py": line_changed(6, "x", line_changed(5, "mended"))}, "more", branch="hotfix/TICKET-1")
    before = desk.repo.sha("main")
    desk.do("finish", **FINISH, method="squash")
    assert desk.parents("main") == [before]
    assert desk.tree("main") == desk.tree("hotfix/TICKET-1") == desk.tree("v1.2.1")
    assert desk.repo.git("log", "-1", "--format=%an %cn", "main") == "Robin Aiko"
    assert desk.message("main").startswith("[HOTFIX] TICKET-1: mend\n\nSquashed from branch 'hotfix/TICKET-1':")


def test_the_policy_chooses_the_method(desk: Desk) -> None:
    desk.under(finish="squash").do("finish", **FINISH)
    assert len(desk.parents("main")) == 1


def test_only_the_tag_where_tags_are_production(tmp_path: Path) -> None:
    desk = make_desk(tmp_path, PRESETS[Preset.TRUNK])
    head, main = desk.repo.sha("hotfix/TICKET-1"), desk.repo.sha("main")
    plan = desk.do("finish", **FINISH | {"production": "tags:v*"})
    assert desk.repo.sha("v1.2.1") == head
    assert desk.repo.sha("main") == main
    assert [update.name for update in plan.updates] == ["refs/tags/v1.2.1"]


def test_a_branch_that_lacks_the_newest_release_is_refused_where_tags_are_production(tmp_path: Path) -> None:
    desk = make_desk(tmp_path, PRESETS[Preset.TRUNK])
    desk.repo.commit({"other.py": "x\n"}, "Next", branch="main")
    desk.repo.tag("v1.2.1", "main", message="Version 1.2.1")
    with pytest.raises(PlanRefused) as refused:
        desk.plan("finish", **FINISH | {"production": "tags:v*", "tag": "v1.2.2"})
    assert refused.value.code == "behind"


def test_a_maintained_line_is_finished_on_its_own_branch(tmp_path: Path) -> None:
    desk = make_desk(tmp_path, PRESETS[Preset.MAINTENANCE])
    desk.repo.branch("stable/1.2", "v1.2.0")
    desk.repo.commit({"next.py": "x\n"}, "Next", branch="main")
    desk.repo.tag("v2.0.0", "main", message="Version 2.0.0")
    desk.do("finish", **FINISH | {"production": "stable/1.2"})
    assert desk.repo.sha("v1.2.1") == desk.repo.sha("stable/1.2")
    assert desk.repo.sha("main") == desk.repo.sha("v2.0.0")


def test_a_branch_that_somebody_merged_already_is_only_tagged(desk: Desk) -> None:
    merge = desk.repo.merge("hotfix/TICKET-1", into="main")
    plan = desk.do("finish", **FINISH)
    assert desk.repo.sha("v1.2.1") == desk.repo.sha("main") == merge
    assert [update.name for update in plan.updates] == ["refs/tags/v1.2.1"]
    assert "already" in plan.notes[0]


def test_a_branch_that_somebody_fast_forwarded_is_only_tagged(desk: Desk) -> None:
    desk.repo.merge("hotfix/TICKET-1", into="main", ff=True)
    desk.do("finish", **FINISH)
    assert desk.repo.sha("v1.2.1") == desk.repo.sha("main") == desk.repo.sha("hotfix/TICKET-1")


def test_finished_before_is_nothing_to_do(desk: Desk) -> None:
    desk.do("finish", **FINISH)
    assert isinstance(desk.plan("finish", **FINISH), Nothing)


def test_a_tag_that_exists_is_never_moved(desk: Desk) -> None:
    desk.repo.tag("v1.2.1", "v1.2.0", message="Somebody was quicker")
    before = desk.repo.git("rev-parse", "refs/tags/v1.2.1")
    with pytest.raises(PlanRefused) as refused:
        desk.plan("finish", **FINISH)
    assert refused.value.code == "tag-exists"
    assert desk.repo.git("rev-parse", "refs/tags/v1.2.1") == before


def test_a_version_that_is_taken_under_another_spelling_is_refused(desk: Desk) -> None:
    desk.repo.tag("v1.2.1+build.7", "v1.2.0", message="The same version")
    with pytest.raises(PlanRefused, match=r"Next is v1\.2\.2") as refused:
        desk.plan("finish", **FINISH)
    assert refused.value.code == "tag-exists"


@pytest.mark.parametrize(
    ("tag", "code"),
    [
        ("nightly", "not-a-version"), ("v1.1.9", "tag-order"), ("-d", "invalid-value"), ("", "invalid-value"),
        ("v1.2.1\n", "invalid-value"), ("--delete", "invalid-value"), ("v1..2", "invalid-value"),
    ],
)  # fmt: skip
def test_tags_that_cannot_be_are_refused(desk: Desk, tag: str, code: str) -> None:
    with pytest.raises(PlanRefused) as refused:
        desk.plan("finish", **FINISH | {"tag": tag})
    assert refused.value.code == code


def test_a_conflict_writes_nothing_and_names_files_and_hunks(desk: Desk) -> None:
    desk.repo.commit({"app.py": line_changed(5, "something else")}, "TICKET-7 elsewhere", branch="main")
    desk.mirror.fetch()
    before = sorted((desk.mirror.path / "objects").rglob("*"))
    found = desk.plan("finish", **FINISH)
    assert isinstance(found, Conflicted)
    (conflict,) = found.conflicts
    assert conflict["path"] == "app.py"
    assert conflict["hunks"][0]["ours"] == ["something else"]
    assert conflict["hunks"][0]["theirs"] == ["mended"]
    assert found.commands[0] == "git fetch origin"
    assert sorted((desk.mirror.path / "objects").rglob("*")) == before


def test_a_branch_without_a_commit_of_its_own_is_refused(desk: Desk) -> None:
    desk.repo.branch("hotfix/TICKET-2", "v1.2.0")
    with pytest.raises(PlanRefused) as refused:
        desk.plan("finish", **FINISH | {"branch": "hotfix/TICKET-2"})
    assert refused.value.code == "empty-branch"


@pytest.mark.parametrize(("branch", "production"), [("hotfix/gone", "main"), ("hotfix/TICKET-1", "gone")])
def test_a_branch_that_is_gone_is_named(desk: Desk, branch: str, production: str) -> None:
    with pytest.raises(PlanRefused, match="gone") as refused:
        desk.plan("finish", **FINISH | {"branch": branch, "production": production})
    assert refused.value.code == "no-branch"


def test_a_branch_that_was_pushed_to_since_the_review_is_refused(desk: Desk) -> None:
    reviewed = desk.repo.sha("hotfix/TICKET-1")
    desk.repo.force("hotfix/TICKET-1", "v1.2.0")
    desk.repo.commit({"app.py": line_changed(5, "rewritten")}, "rewritten", branch="hotfix/TICKET-1")
    with pytest.raises(PlanRefused, match="pushed to since") as refused:
        desk.plan("finish", **FINISH, head=reviewed)
    assert refused.value.code == "moved-on"


def test_an_unrelated_branch_is_refused(desk: Desk) -> None:
    desk.repo.commit({"a": "b\n"}, "Another world", branch="hotfix/TICKET-5", parents=[])
    with pytest.raises(PlanRefused) as refused:
        desk.plan("finish", **FINISH | {"branch": "hotfix/TICKET-5"})
    assert refused.value.code == "unrelated"


def test_production_that_moves_between_plan_and_push_is_never_forced(desk: Desk) -> None:
    with desk.mirror.changing() as session:
        plan = PLANNERS["finish"](Planning(session.git_dir, session.refs, desk.policy, FINISH, ASKED, 0))
        assert isinstance(plan, Plan)
        moved = desk.repo.commit({"x": "y\n"}, "Somebody was quicker", branch="main")
        with pytest.raises(LeaseLost):
            session.push(plan.updates)
    assert desk.repo.sha("main") == moved
    assert not desk.repo.git("tag", "-l", "v1.2.1")


def test_a_message_of_ten_kilobytes_and_odd_characters_is_kept_harmless(desk: Desk) -> None:
    message = "[HOTFIX] TICKET-1: <b>mend</b> \u202eabc\x1b[2J\x00" + "x" * 10_000
    desk.do("finish", **FINISH | {"message": message})
    said = desk.message("main")
    assert len(said) > 10_000
    assert "\x1b" not in said
    assert "<b>mend</b>" in said


def test_a_criss_cross_history_is_merged_as_git_does(desk: Desk) -> None:
    one, two = desk.repo.sha("main"), desk.repo.sha("hotfix/TICKET-1")
    left = desk.repo.commit({"left.py": "1\n"}, "left", branch="main")
    right = desk.repo.commit({"right.py": "1\n"}, "right", branch="hotfix/TICKET-1")
    desk.repo.merge(right, into="main")
    desk.repo.set_ref("refs/heads/hotfix/TICKET-1", right)
    desk.repo.merge(left, into="hotfix/TICKET-1")
    desk.repo.commit({"app.py": line_changed(20, "last", line_changed(5, "mended"))}, "last", branch="hotfix/TICKET-1")
    assert one != two
    with pytest.raises(PlanRefused) as refused:
        desk.plan("finish", **FINISH)
    assert refused.value.code == "not-alone"
    desk.repo.tag("v1.2.1", "main", message="Released as it is")
    desk.do("finish", **FINISH | {"tag": "v1.2.2"})
    assert desk.repo.read("main", "app.py") == line_changed(20, "last", line_changed(5, "mended"))
    assert desk.repo.read("v1.2.2", "app.py") == desk.repo.read("main", "app.py")


def test_nothing_to_compare_with_is_said(desk: Desk) -> None:
    desk.repo.delete("refs/tags/v1.2.0")
    plan = desk.do("finish", **FINISH)
    assert "no release to compare with" in plan.notes[0]


def test_a_repository_with_long_object_ids(tmp_path: Path) -> None:
    mirror = Mirror(tmp_path / "mirror.git", str(make_sha256_flow(tmp_path)), RemotePolicy(operator=True))
    with mirror.changing() as session:
        plan = PLANNERS["finish"](Planning(session.git_dir, session.refs, FlowPolicy(), FINISH, ASKED, 0))
        assert isinstance(plan, Plan)
        assert all(len(update.new) == 64 for update in plan.updates)
        session.push(plan.updates)
        assert session.ask(["refs/tags/v1.2.1"]) == {"refs/tags/v1.2.1": plan.updates[1].new}
    with mirror.changing() as session:
        head = session.refs["refs/heads/hotfix/TICKET-1"]
        back = {"commits": [head], "tip": head, "target": "develop", "method": "pick"}
        plan = PLANNERS["merge-back"](Planning(session.git_dir, session.refs, FlowPolicy(), back, ASKED, 0))
        assert isinstance(plan, Plan)
        assert plan.notes == ("“VERSION” stays as develop has it.",)
        session.push(plan.updates)


def test_merged_back_with_the_same_push(desk: Desk) -> None:
    before = desk.repo.sha("develop")
    plan = desk.do("finish", **FINISH, also=["develop"], ticket="TICKET-1")
    assert desk.parents("develop") == [before, desk.repo.sha("hotfix/TICKET-1")]
    assert desk.message("develop") == "Merge branch 'hotfix/TICKET-1' into develop"
    assert [update.name for update in plan.updates] == ["refs/heads/main", "refs/tags/v1.2.1", "refs/heads/develop"]
    assert plan.says.endswith("tags it v1.2.1, and merges it back into develop.")
    assert plan.facts["merged_back"]["develop"]["merge"] == desk.repo.sha("develop")


def test_a_target_that_conflicts_is_left_out_and_does_not_stop_the_others(desk: Desk) -> None:
    desk.repo.branch("release/1.3", "develop")
    tip = desk.repo.commit({"app.py": line_changed(5, "elsewhere")}, "TICKET-7 elsewhere", branch="develop")
    also = ["develop", "release/1.3", "gone", "main"]
    plan = desk.do("finish", **FINISH, also=also)
    assert desk.repo.sha("develop") == tip
    assert list(plan.facts["merged_back"]) == ["release/1.3"]
    assert [note.split(":")[0] for note in plan.notes] == [
        f"Not merged back into {name} yet" for name in ("develop", "gone", "main")
    ]


def test_the_same_push_under_trunk_picks(tmp_path: Path) -> None:
    desk = make_desk(tmp_path, PRESETS[Preset.TRUNK])
    desk.repo.commit({"next.py": "x\n"}, "Next", branch="main")
    source = desk.repo.sha("hotfix/TICKET-1")
    desk.do("finish", **FINISH | {"production": "tags:v*"}, also=["main"])
    assert desk.repo.sha("v1.2.1") == source
    assert f"(cherry picked from commit {source})" in desk.message("main")


def test_all_or_nothing_holds_for_what_is_merged_back_too(desk: Desk) -> None:
    with desk.mirror.changing() as session:
        params = FINISH | {"also": ["develop"]}
        plan = PLANNERS["finish"](Planning(session.git_dir, session.refs, desk.policy, params, ASKED, 0))
        assert isinstance(plan, Plan)
        desk.repo.commit({"x": "y\n"}, "Somebody was quicker", branch="develop")
        with pytest.raises(LeaseLost):
            session.push(plan.updates)
    assert desk.repo.sha("main") == desk.repo.sha("v1.2.0")
    assert not desk.repo.git("tag", "-l", "v1.2.1")


def test_several_products_in_one_repository_have_versions_of_their_own(tmp_path: Path) -> None:
    desk = make_desk(tmp_path, PRESETS[Preset.TRUNK]).under(tag_pattern=r"^\w+/v\d")
    desk.repo.tag("app/v1.2.0", "v1.2.0", message="App 1.2.0")
    desk.repo.commit({"lib.py": "x\n"}, "The library", branch="main")
    desk.repo.tag("lib/v1.2.0", "main", message="Library 1.2.0")
    plan = desk.do("finish", **FINISH | {"production": "tags:app/v*", "tag": "app/v1.2.1"})
    assert plan.facts["base_tag"] == "app/v1.2.0"
    assert desk.repo.sha("app/v1.2.1") == desk.repo.sha("hotfix/TICKET-1")
