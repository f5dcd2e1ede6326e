"""The advisor: the ways out with facts from git."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from releases.hotfixes.holding import main_mark_releasable, main_mark_unreleasable
from releases.hotfixes.models import Hotfix
from releases.hotfixes.offers import Option
from releases.hotfixes.requests import Standing, clean_up_ask
from releases.hotfixes.ways import advise, cadence
from releases.ledger.models import Event
from releases.operations.services import operation_request
from releases.policies.flow import PRESETS, FlowPolicy, Preset
from releases.policies.guess import guess_policy
from releases.tasks import operation_carry_out_here
from tests.factories import NOW, make_user
from tests.gitrepos import make_flow, make_repo
from tests.hotfixes.playing import APP, app, look, opened, track

pytestmark = pytest.mark.django_db


def ways(hotfix: Hotfix) -> dict[str, Option]:
    hotfix.refresh_from_db()
    return {option.way: option for option in advise(hotfix)}


def test_forward_lists_what_would_ship_along(tmp_path: Path) -> None:
    hotfix = opened(track(make_flow(tmp_path), FlowPolicy()))
    forward = ways(hotfix)["forward"]
    assert [info.subject for info in forward.commits] == ["TICKET-10 begin the next feature"]
    assert forward.points[0] == "1 commit that is not in production would ship with it."
    assert forward.params == {"branch": "develop", "releasable": True}
    assert not forward.default


def test_cutting_says_what_it_owes_and_predicts_conflicts(tmp_path: Path) -> None:
    repo = make_flow(tmp_path)
    repo.branch("release/1.1", "develop")
    repo.commit({"app.py": app((3, "changed meanwhile"))}, "TICKET-11 rework", branch="develop")
    hotfix = opened(track(repo, FlowPolicy()))
    before = ways(hotfix)["cut"]
    assert (before.owes, before.conflicts, before.default) == (("develop", "release/1.1"), (), True)
    assert before.points == (
        "It will owe develop and release/1.1.",
        "2 files differ between production and develop; conflicts are predicted once there is a commit.",
    )
    repo.branch("hotfix/TICKET-7", "v1.0.0")
    repo.commit({"app.py": app((3, "mended"))}, "[HOTFIX] TICKET-7: mend", branch="hotfix/TICKET-7")
    look(hotfix.project)
    after = ways(hotfix)["cut"]
    assert after.conflicts == ("app.py",)
    assert after.points[1:] == ("develop: conflicts in app.py.", "release/1.1: the trial is clean.")


def test_trunk_goes_forward_unless_main_must_not_ship(tmp_path: Path) -> None:
    repo = make_repo(tmp_path)
    repo.commit({"app.py": APP}, "Start")
    repo.tag("v1.0.0", message="1.0.0")
    repo.commit({"new.py": "half done\n"}, "TICKET-3 half of it")
    hotfix = opened(track(repo, PRESETS[Preset.TRUNK]))
    assert [way for way, option in ways(hotfix).items() if option.default] == ["forward"]
    manager = make_user("morgan", "release-manager")
    main_mark_unreleasable(hotfix.project, "The new checkout is half done.", manager)
    found = ways(hotfix)
    assert [way for way, option in found.items() if option.default] == ["cut"]
    assert "morgan says that it must not ship: The new checkout is half done." in found["forward"].points
    assert main_mark_releasable(hotfix.project, "It is done.", manager)
    assert not main_mark_releasable(hotfix.project, "It is done.", manager)
    assert ways(hotfix)["forward"].default
    told = Event.objects.filter(kind__startswith="main.").order_by("pk").values_list("kind", flat=True)
    assert list(told) == ["main.unreleasable", "main.releasable"]


def test_a_failing_check_on_the_head_speaks_against_main(tmp_path: Path) -> None:
    repo = make_flow(tmp_path)
    hotfix = opened(track(repo, FlowPolicy()))
    Event.objects.create(
        project=hotfix.project, kind="check.failed", actor_name="ci", subject=f"commit:{repo.sha('develop')}",
        why="Unit tests: 2 of 214 fail.",
    )  # fmt: skip
    assert "A check fails on its head: Unit tests: 2 of 214 fail." in ways(hotfix)["forward"].points


def test_a_fix_owed_to_main_closes_its_gate(tmp_path: Path) -> None:
    repo = make_flow(tmp_path)
    repo.commit({"app.py": app((9, "mended"))}, "TICKET-5 mend", branch="main")
    repo.tag("v1.0.1", "main", message="1.0.1")
    forward = ways(opened(track(repo, FlowPolicy())))["forward"]
    assert not forward.params["releasable"]
    assert any(point.startswith("The gate is closed: develop lacks a fix that is live") for point in forward.points)


def test_rolling_back_needs_a_release_to_go_back_to(tmp_path: Path) -> None:
    repo = make_flow(tmp_path)
    hotfix = opened(track(repo, FlowPolicy()))
    assert ways(hotfix)["roll-back"].why_not == "There is no earlier release to go back to."
    repo.merge("develop", "main")
    repo.tag("v1.1.0", "main", message="1.1.0")
    look(hotfix.project)
    assert ways(hotfix)["roll-back"].params == {"tag": "v1.0.0"}


def test_without_a_mirror_the_ways_are_still_there(tmp_path: Path, settings: Any) -> None:
    hotfix = opened(track(make_flow(tmp_path), FlowPolicy()))
    settings.MIRROR_DIR = tmp_path / "elsewhere"
    assert set(ways(hotfix)) == {"forward", "cut", "revert", "roll-back", "wait"}


def test_cadence_is_the_usual_gap() -> None:
    dates = [NOW - timedelta(days=days) for days in (0, 14, 28, 100)]
    assert cadence(dates) == timedelta(days=14)


def test_copies_of_what_is_live_neither_ship_along_nor_stand_in_the_way(tmp_path: Path) -> None:
    repo = make_flow(tmp_path)
    repo.commit({"app.py": APP}, "The application", branch="main")
    repo.merge("main", "develop")
    picked = repo.commit({"app.py": app((30, "mended"))}, "TICKET-5: mend the till", branch="main")
    repo.tag("v1.0.1", "main", message="1.0.1")
    repo.pick(picked, "develop")
    repo.branch("hotfix/TICKET-6", "v1.0.1")
    repo.commit({"app.py": app((30, "mended"), (10, "rounded"))}, "TICKET-6: round", branch="hotfix/TICKET-6")
    repo.merge("hotfix/TICKET-6", "main")
    repo.tag("v1.0.2", "main", message="1.0.2")
    repo.merge("hotfix/TICKET-6", "develop")
    hotfix = opened(track(repo, FlowPolicy()))
    found = ways(hotfix)
    mine = ["TICKET-10 begin the next feature"]
    assert [info.subject for info in found["forward"].commits] == mine
    assert found["forward"].points[0] == "1 commit that is not in production would ship with it."
    assert [info.subject for info in found["revert"].commits] == mine
    assert found["revert"].commits_total == 1


def test_a_copy_made_there_first_counts_until_production_has_it(tmp_path: Path) -> None:
    repo = make_flow(tmp_path)
    repo.commit({"app.py": APP}, "The application", branch="main")
    repo.merge("main", "develop")
    repo.tag("v1.0.1", "main", message="1.0.1")
    first = repo.commit({"app.py": app((30, "mended"))}, "TICKET-5: mend the till", branch="develop")
    hotfix = opened(track(repo, FlowPolicy()))
    assert "TICKET-5: mend the till" in [info.subject for info in ways(hotfix)["revert"].commits]
    repo.pick(first, "main")
    repo.tag("v1.0.2", "main", message="1.0.2")
    look(hotfix.project)
    assert "TICKET-5: mend the till" not in [info.subject for info in ways(hotfix)["revert"].commits]


def test_the_next_release_is_made_on_main_not_on_a_supported_line(tmp_path: Path) -> None:
    repo = make_repo(tmp_path, "lines.git", head="master")
    repo.commit({"app.py": APP}, "Start", branch="master")
    for line in ("stable-1.28", "stable-1.30"):
        repo.branch(line, "master")
        repo.commit({"VERSION": f"{line}.0\n"}, f"Version {line}.0", branch=line)
        repo.tag(f"release-{line.removeprefix('stable-')}.0", line, message=line)
    repo.commit({"next.py": "next\n"}, "What is next", branch="master")
    found = guess_policy(["master", "stable-1.28", "stable-1.30"], ["release-1.30.0"], "master")
    policy = replace(found, targets=("master", "stable-1.28", "stable-1.30"))
    hotfix = opened(track(repo, policy))
    forward = ways(hotfix)["forward"]
    assert forward.label == "Fix forward through master"
    assert [info.subject for info in forward.commits] == ["What is next"]
    assert ways(hotfix)["cut"].owes == ("master",)


def test_an_older_line_owes_the_newer_ones_and_its_own_branch_can_be_cleaned_up(tmp_path: Path) -> None:
    repo = make_repo(tmp_path, "lines.git", head="master")
    repo.commit({"app.py": APP}, "Start", branch="master")
    for line in ("1.26", "1.28", "1.30"):
        repo.branch(f"stable-{line}", "master")
        for patch in range(15 if line == "1.30" else 1):
            repo.commit({"VERSION": f"{line}.{patch}\n"}, f"Version {line}.{patch}", branch=f"stable-{line}")
            repo.tag(f"release-{line}.{patch}", f"stable-{line}", message=line)
    lines = ["stable-1.26", "stable-1.28", "stable-1.30"]
    policy = replace(guess_policy(["master", *lines], ["release-1.30.0"], "master"), targets=("master", *lines))
    hotfix = opened(track(repo, policy))
    standing = Standing(hotfix)
    assert standing.bases[:3] == ["release-1.30.14", "release-1.28.0", "release-1.26.0"]
    assert ways(hotfix)["cut"].owes == ("master",)
    repo.branch("hotfix/TICKET-7", "release-1.28.0")
    repo.commit({"app.py": app((3, "mended"))}, "[HOTFIX] TICKET-7: mend", branch="hotfix/TICKET-7")
    look(hotfix.project)
    assert ways(hotfix)["cut"].owes == ("master", "stable-1.30")
    repo.merge("hotfix/TICKET-7", "stable-1.28")
    repo.tag("release-1.28.1", "stable-1.28", message="1.28.1")
    tip = repo.sha("hotfix/TICKET-7")
    repo.pick(tip, "stable-1.30", x=True)
    repo.pick(tip, "master", x=True)
    look(hotfix.project)
    hotfix.refresh_from_db()
    assert hotfix.owed_count == 0
    ask = clean_up_ask(Standing(hotfix))
    assert ask.params["targets"] == ["master", "stable-1.30"]
    made, _new = operation_request(hotfix.project, ask.kind, ask.key, subject=ask.subject, params=ask.params)
    ended = operation_carry_out_here(made.pk)
    assert ended is not None
    assert (ended.state, ended.error_text) == ("done", "")
    assert not repo.exists("hotfix/TICKET-7")
