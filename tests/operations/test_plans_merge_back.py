"""Merging a fix back: only the fix, in whichever way, with the target's own version kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from releases.git.push import HookRefused, LeaseLost, RefUpdate
from releases.operations.plan import Conflicted, Nothing, Plan, PlanRefused
from releases.operations.plans import PLANNERS
from releases.operations.plans.planning import Planning
from tests.gitrepos import Entry
from tests.operations.planning import ASKED, LINES, Desk, line_changed, make_desk

BRANCH = "hotfix/TICKET-1"


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return make_desk(tmp_path)


def back(desk: Desk, method: str = "merge", **more: object) -> dict[str, object]:
    """What is asked for: all commits of the hotfix branch into develop."""
    commits = desk.repo.git("rev-list", "--reverse", f"v1.2.0..{BRANCH}").split()
    return {
        "fix_key": commits[-1], "commits": commits, "tip": desk.repo.sha(BRANCH), "target": "develop",
        "method": method, "ticket": "TICKET-1", **more,
    }  # fmt: skip


# --- by merge ---------------------------------------------------------------------------------------------------------


def test_a_merge_commit_of_the_hotfix_branch(desk: Desk) -> None:
    before, head = desk.repo.sha("develop"), desk.repo.sha(BRANCH)
    plan = desk.do("merge-back", **back(desk))
    assert desk.parents("develop") == [before, head]
    assert desk.message("develop") == "Merge branch 'hotfix/TICKET-1' into develop"
    assert desk.repo.read("develop", "app.py") == line_changed(5, "mended")
    assert desk.repo.read("develop", "VERSION") == "1.3.0.dev\n"
    assert plan.facts["merge"] == desk.repo.sha("develop")
    assert plan.says == "Merges branch hotfix/TICKET-1 into develop."


def test_planning_twice_gives_the_same_ids(desk: Desk) -> None:
    for method in ("merge", "pick"):
        assert desk.plan("merge-back", **back(desk, method)) == desk.plan("merge-back", **back(desk, method))


def test_a_version_that_both_sides_changed_stays_the_targets(desk: Desk) -> None:
    desk.repo.commit({"VERSION": "1.2.1\n", "CHANGELOG.md": "1.2.1: mended\n"}, "Bump version to 1.2.1", branch=BRANCH)
    plan = desk.do("merge-back", **back(desk))
    assert desk.repo.read("develop", "VERSION") == "1.3.0.dev\n"
    assert desk.repo.read("develop", "CHANGELOG.md") == "1.2.1: mended\n"
    assert plan.notes == ("“VERSION” stays as develop has it.",)


def test_a_version_that_only_the_hotfix_changed_stays_the_targets_too(desk: Desk) -> None:
    desk.repo.commit({"VERSION": "1.2.0\n"}, "Back to the old one", branch="develop")
    desk.repo.commit({"VERSION": "1.2.1\n"}, "Bump version to 1.2.1", branch=BRANCH)
    desk.do("merge-back", **back(desk))
    assert desk.repo.read("develop", "VERSION") == "1.2.0\n"
    assert desk.repo.read("develop", "app.py") == line_changed(5, "mended")


def test_a_version_file_that_the_target_gave_up_stays_away(desk: Desk) -> None:
    desk.repo.commit({"VERSION": None}, "The version comes from the tag now", branch="develop")
    desk.repo.commit({"VERSION": "1.2.1\n"}, "Bump version to 1.2.1", branch=BRANCH)
    desk.do("merge-back", **back(desk))
    assert desk.repo.git("ls-tree", "--name-only", "develop").split() == ["app.py", "feature.py"]


def test_version_files_in_folders_and_by_path(desk: Desk) -> None:
    desk.under(version_files=("src/*/version.py",))
    for branch, text in (("develop", "1.3"), (BRANCH, "1.2.1")):
        desk.repo.commit({"src/app/version.py": f"{text}\n", "src/app/a.py": "a\n"}, f"Version {text}", branch=branch)
    desk.do("merge-back", **back(desk))
    assert desk.repo.read("develop", "src/app/version.py") == "1.3\n"


def test_a_merge_that_would_bring_more_becomes_a_pick_and_says_what(desk: Desk) -> None:
    desk.repo.commit({"unreleased.py": "x\n"}, "TICKET-5 only on main", branch="main")
    desk.do("finish", branch=BRANCH, production="main", tag="v1.2.1", message="mend")
    plan = desk.do("merge-back", **back(desk, tip=desk.repo.sha("main")))
    assert len(desk.parents("develop")) == 1
    assert "TICKET-5 only on main" in plan.notes[0]
    assert "unreleased.py" not in desk.repo.git("ls-tree", "--name-only", "develop")


def test_the_production_merge_can_be_merged_when_it_brings_only_the_fix(desk: Desk) -> None:
    desk.do("finish", branch=BRANCH, production="main", tag="v1.2.1", message="mend")
    desk.do("merge-back", **back(desk, tip=desk.repo.sha("main")))
    assert desk.parents("develop")[1] == desk.repo.sha("main")
    assert "Merge tag" in desk.message("develop") or "Merge branch 'main'" in desk.message("develop")


def test_a_merge_with_changes_of_its_own_is_not_brought_along(desk: Desk) -> None:
    desk.repo.merge(BRANCH, into="main", files={"evil.py": "added while merging\n"})
    plan = desk.do("merge-back", **back(desk, tip=desk.repo.sha("main")))
    assert "picked instead" in plan.notes[0]
    assert "evil.py" not in desk.repo.git("ls-tree", "--name-only", "develop")


# --- by pick ----------------------------------------------------------------------------------------------------------


def test_picks_keep_author_date_and_words_and_say_where_they_come_from(desk: Desk) -> None:
    source = desk.repo.sha(BRANCH)
    before = desk.repo.sha("develop")
    plan = desk.do("merge-back", **back(desk, "pick"))
    assert desk.parents("develop") == [before]
    show = "%an|%ae|%at|%cn|%ct"
    author = desk.repo.git("log", "-1", "--format=%an|%ae|%at", source)
    assert desk.repo.git("log", "-1", f"--format={show}", "develop") == f"{author}|Aiko|{ASKED.at}"
    assert desk.message("develop") == (f"[HOTFIX] TICKET-1: mend the checkout\n\n(cherry picked from commit {source})")
    assert plan.facts["picked"] == [[source, desk.repo.sha("develop")]]


def test_the_ticket_is_passed_on_where_the_message_lacks_it(desk: Desk) -> None:
    source = desk.repo.commit({"more.py": "x\n"}, "Oops\n\nSigned-off-by: Robin", branch=BRANCH)
    desk.do("merge-back", **back(desk, "pick"))
    assert desk.message("develop").endswith(
        f"Oops\n\nSigned-off-by: Robin\n(cherry picked from commit {source})\nTicket: TICKET-1"
    )


def test_picks_that_turn_out_empty_are_left_out(desk: Desk) -> None:
    desk.repo.commit({"VERSION": "1.2.1\n"}, "Bump version to 1.2.1", branch=BRANCH)
    plan = desk.do("merge-back", **back(desk, "pick"))
    assert len(plan.facts["picked"]) == 1
    assert any("Left out" in note and "Bump version" in note for note in plan.notes)
    assert desk.repo.read("develop", "VERSION") == "1.3.0.dev\n"


def test_what_the_target_has_already_is_nothing_to_do(desk: Desk) -> None:
    for method in ("merge", "pick"):
        copy = desk.repo.branch(f"copy-{method}", "develop")
        desk.do("merge-back", **back(desk, method))
        again = desk.plan("merge-back", **back(desk, method))
        assert isinstance(again, Nothing)
        assert again.says == {
            "merge": "develop has this fix already.", "pick": "develop has the changes of this fix already.",
        }[method]  # fmt: skip
        desk.repo.force("develop", copy)


def test_a_squashed_merge_back_leaves_nothing_to_pick(desk: Desk) -> None:
    desk.repo.commit({"app.py": line_changed(25, "too", line_changed(5, "mended"))}, "TICKET-1 more", branch=BRANCH)
    desk.repo.squash(BRANCH, into="develop")
    assert isinstance(desk.plan("merge-back", **back(desk, "pick")), Nothing)


def test_several_commits_in_their_order(desk: Desk) -> None:
    desk.repo.commit({"app.py": line_changed(5, "mended again")}, "[HOTFIX] TICKET-1: better", branch=BRANCH)
    desk.do("merge-back", **back(desk, "pick"))
    assert desk.repo.git("log", "-2", "--format=%s", "develop").split("\n") == [
        "[HOTFIX] TICKET-1: better", "[HOTFIX] TICKET-1: mend the checkout",
    ]  # fmt: skip
    assert desk.repo.read("develop", "app.py") == line_changed(5, "mended again")


def test_a_merge_commit_is_picked_as_its_first_parent_sees_it(desk: Desk) -> None:
    desk.repo.branch("side", BRANCH)
    desk.repo.commit({"side.py": "x\n"}, "aside", branch="side")
    merge = desk.repo.merge("side", into=BRANCH, files={"evil.py": "own\n"})
    desk.do("merge-back", **back(desk, "pick", commits=[merge]))
    assert {"side.py", "evil.py"} <= set(desk.repo.git("ls-tree", "--name-only", "develop").split())
    assert len(desk.parents("develop")) == 1


def test_messages_in_another_encoding_stay_as_they_are(desk: Desk) -> None:
    tip = desk.repo.sha(BRANCH)
    tree = desk.repo.tree(tip) | {"x.py": (0o100644, desk.repo.write("blob", b"x\n"))}
    odd = desk.repo.raw_commit(
        tree,
        [tip],
        "M\xfcller mends".encode("latin-1"),
        author="Jörg <j@example.org>",
        headers=[b"encoding ISO-8859-1"],
    )
    desk.repo.set_ref(f"refs/heads/{BRANCH}", odd)
    desk.do("merge-back", **back(desk, "pick", commits=[odd]))
    assert desk.repo.git("log", "-1", "--format=%s", "develop") == "Müller mends"
    author = next(line for line in desk.repo.git("cat-file", "commit", odd).split("\n") if line.startswith("author"))
    assert author in desk.repo.git("cat-file", "commit", "develop").split("\n")


# --- all kinds of changes ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["merge", "pick"])
@pytest.mark.parametrize(
    "change",
    [
        {"app.py": Entry(LINES, 0o100755)},
        {"link": Entry("app.py", 0o120000)},
        {"vendor": Entry("1" * 40, 0o160000)},
        {"picture.png": b"\x89PNG\0\1\2" * 500},
        {"renamed.py": line_changed(5, "mended"), "app.py": None},
        {"app.py": None},
        {"deep/er/and/deeper/file.txt": "x\n"},
        {"odd \"name\"\n.txt": "x\n"},
    ],
    ids=["mode", "symlink", "submodule", "binary", "rename", "deleted", "new folders", "odd name"],
)  # fmt: skip
def test_every_kind_of_change_arrives(desk: Desk, method: str, change: dict[str, object]) -> None:
    desk.repo.commit(change, "[HOTFIX] TICKET-1: change", branch=BRANCH)
    desk.do("merge-back", **back(desk, method))
    mine = desk.repo.git("ls-tree", "-rz", "develop").split("\0")
    theirs = desk.repo.git("ls-tree", "-rz", BRANCH).split("\0")
    assert set(theirs) - set(mine) == {entry for entry in theirs if entry.endswith("\tVERSION")}
    assert desk.repo.read("develop", "VERSION") == "1.3.0.dev\n"


@pytest.mark.parametrize(
    ("ours", "theirs", "kind"),
    [
        ({"app.py": line_changed(5, "ours")}, {}, "contents"),
        ({"app.py": None}, {}, "modify/delete"),
        ({"new.bin": b"\0ours" * 99}, {"new.bin": b"\0theirs" * 99}, "binary"),
        ({"link": Entry("a", 0o120000)}, {"link": Entry("b", 0o120000)}, "contents"),
        ({"vendor": Entry("1" * 40, 0o160000)}, {"vendor": Entry("2" * 40, 0o160000)}, "submodule"),
    ],
    ids=["content", "deleted", "binary", "symlink", "submodule"],
)  # fmt: skip
def test_conflicts_name_paths_and_kinds_and_change_nothing(
    desk: Desk, ours: dict[str, object], theirs: dict[str, object], kind: str
) -> None:
    if theirs:
        desk.repo.commit(theirs, "[HOTFIX] TICKET-1: theirs", branch=BRANCH)
    before = desk.repo.commit(ours, "ours", branch="develop")
    for method in ("merge", "pick"):
        found = desk.plan("merge-back", **back(desk, method))
        assert isinstance(found, Conflicted)
        assert kind in found.conflicts[0]["kind"]
        assert found.conflicts[0]["path"] in {*ours, *theirs}
        assert "Nothing was changed" in found.says
    assert desk.repo.sha("develop") == before


def test_the_commands_of_a_conflict_resolve_it(desk: Desk, tmp_path: Path) -> None:
    desk.repo.commit({"app.py": line_changed(5, "ours")}, "ours", branch="develop")
    found = desk.plan(
        "merge-back", **back(desk, "pick", onto_branch="mergeback/it's $HOME-to-develop".replace(" ", "-"))
    )
    assert isinstance(found, Conflicted)
    assert found.commands[1] == "git switch -c 'mergeback/it'\"'\"'s-$HOME-to-develop' origin/develop"
    assert found.commands[2] == f"git cherry-pick -x {desk.repo.sha(BRANCH)}"


# --- where it goes ----------------------------------------------------------------------------------------------------


def test_a_branch_beside_a_protected_target(desk: Desk) -> None:
    before = desk.repo.sha("develop")
    plan = desk.do("merge-back", **back(desk, onto_branch="mergeback/TICKET-1-to-develop"))
    assert desk.repo.sha("develop") == before
    assert desk.parents("mergeback/TICKET-1-to-develop") == [before, desk.repo.sha(BRANCH)]
    assert plan.updates[0].old == ""
    assert isinstance(desk.plan("merge-back", **back(desk, onto_branch="mergeback/TICKET-1-to-develop")), Nothing)


def test_such_a_branch_is_continued_when_the_fix_grew(desk: Desk) -> None:
    onto = "mergeback/TICKET-1-to-develop"
    desk.do("merge-back", **back(desk, "pick", onto_branch=onto))
    first = desk.repo.sha(onto)
    desk.repo.commit({"more.py": "x\n"}, "[HOTFIX] TICKET-1: more", branch=BRANCH)
    desk.do("merge-back", **back(desk, "pick", onto_branch=onto))
    assert desk.parents(onto) == [first]


def test_an_open_release_branch_is_a_target_like_any_other(desk: Desk) -> None:
    desk.repo.branch("release/1.3", "develop")
    desk.do("merge-back", **back(desk, target="release/1.3"))
    assert desk.message("release/1.3") == "Merge branch 'hotfix/TICKET-1' into release/1.3"


def test_a_hook_that_refuses_leaves_the_target_and_tells_its_words(desk: Desk) -> None:
    hook = desk.repo.git_dir / "hooks" / "update"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text('#!/bin/sh\necho "develop is protected \x1b[31mhere"\ntest "$1" != refs/heads/develop\n')
    hook.chmod(0o755)
    before = desk.repo.sha("develop")
    with pytest.raises(HookRefused) as refused:
        desk.do("merge-back", **back(desk))
    assert "develop is protected" in refused.value.detail
    assert "\x1b" not in refused.value.detail
    assert desk.repo.sha("develop") == before
    desk.do("merge-back", **back(desk, onto_branch="mergeback/TICKET-1-to-develop"))


def test_a_target_that_moves_between_plan_and_push(desk: Desk) -> None:
    with desk.mirror.changing() as session:
        plan = PLANNERS["merge-back"](Planning(session.git_dir, session.refs, desk.policy, back(desk), ASKED, 0))
        assert isinstance(plan, Plan)
        moved = desk.repo.commit({"x.py": "y\n"}, "Somebody was quicker", branch="develop")
        with pytest.raises(LeaseLost, match="in between"):
            session.push(plan.updates)
    assert desk.repo.sha("develop") == moved
    desk.do("merge-back", **back(desk))
    assert desk.parents("develop")[0] == moved


# --- what cannot be ---------------------------------------------------------------------------------------------------


def test_a_target_without_a_commit_or_gone_is_named(desk: Desk) -> None:
    with pytest.raises(PlanRefused) as refused:
        desk.plan("merge-back", **back(desk, target="unborn"))
    assert refused.value.code == "no-branch"


def test_commits_that_vanished_with_a_rewritten_branch_are_named(desk: Desk) -> None:
    asked = back(desk, commits=["1" * 40])
    with pytest.raises(PlanRefused, match="rewritten") as refused:
        desk.plan("merge-back", **asked)
    assert refused.value.code == "no-commit"


def test_a_rewritten_branch_still_gives_the_commits_that_were_asked_for(desk: Desk) -> None:
    desk.mirror.fetch()
    asked = back(desk)
    desk.repo.force(BRANCH, "v1.2.0")
    desk.mirror.fetch()
    assert isinstance(desk.plan("merge-back", **asked), Plan)


@pytest.mark.parametrize(
    "wrong",
    [{"target": "--force"}, {"target": "a..b"}, {"commits": []}, {"commits": ["main"]}, {"commits": "x"},
     {"commits": [1]}, {"tip": "--all"}, {"method": "rebase"}, {"onto_branch": "-x"}, {"onto_branch": "a\nb"},
     {"onto_branch": "develop/x"},
     {"branch": "x\n\nTicket: FORGED"}, {"commits": [f"{n:040x}" for n in range(300)]}],
    ids=str,
)  # fmt: skip
def test_what_makes_no_sense_is_refused(desk: Desk, wrong: dict[str, object]) -> None:
    with pytest.raises(PlanRefused) as refused:
        desk.plan("merge-back", **back(desk, **wrong))
    assert len(refused.value.sentence) < 400


def test_nothing_is_left_in_the_mirror_by_plans_that_were_not_kept(desk: Desk) -> None:
    desk.repo.commit({"app.py": line_changed(5, "ours")}, "ours", branch="develop")
    desk.mirror.fetch()
    before = sorted((desk.mirror.path / "objects").rglob("*"))
    desk.plan("merge-back", **back(desk))
    desk.plan("merge-back", **back(desk, "pick"))
    assert sorted((desk.mirror.path / "objects").rglob("*")) == before


def test_a_delete_and_a_make_in_one_push(desk: Desk) -> None:
    """All or nothing holds for every mix of updates."""
    tip = desk.repo.sha(BRANCH)
    with desk.mirror.changing() as session:
        session.push([RefUpdate(f"refs/heads/{BRANCH}", tip, ""), RefUpdate("refs/heads/kept", "", tip)])
    assert not desk.repo.exists(BRANCH)
    assert desk.repo.sha("kept") == tip
