"""Trunk and maintenance lines: a hotfix's whole life by git alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from releases.hotfixes.models import Debt, Hotfix
from releases.hotfixes.requests import Standing, clean_up_ask
from releases.hotfixes.services import hotfix_choose_way
from releases.ledger.models import Event
from releases.operations.models import Operation
from releases.operations.services import operation_request
from releases.policies.flow import PRESETS, Preset
from releases.tasks import operation_carry_out_here
from tests.gitrepos import Repo, make_repo
from tests.hotfixes.playing import APP, app, look, opened, stage, states, track

pytestmark = pytest.mark.django_db
BRANCH = "hotfix/TICKET-7"
MENDED = "total = (price * quantity).quantize(CENT, rounding=ROUND_HALF_UP)  # cents stay whole"


@pytest.fixture
def trunk(tmp_path: Path) -> Repo:
    repo = make_repo(tmp_path)
    repo.commit({"app.py": APP}, "Start")
    repo.tag("v1.0.0", message="1.0.0")
    repo.commit({"new.py": "".join(f"step_{n} = prepare({n})\n" for n in range(9))}, "TICKET-3 half of the new till")
    return repo


def test_trunk_forward_through_main(trunk: Repo) -> None:
    project = track(trunk, PRESETS[Preset.TRUNK])
    hotfix = hotfix_choose_way(opened(project), "forward", "Main is ready.")
    trunk.branch(BRANCH, "main")
    trunk.commit({"app.py": app((3, MENDED))}, "[HOTFIX] TICKET-7: mend", branch=BRANCH)
    look(project)
    assert stage(hotfix, "fix").detail == "1 commit"
    trunk.merge(BRANCH, "main")
    look(project)
    assert states(hotfix)["production"] == "todo"
    trunk.tag("v1.1.0", "main", message="1.1.0")
    look(project)
    found = states(hotfix)
    assert (found["tag"], found["production"], found["merge-back"]) == ("done", "done", "done")
    assert hotfix.stage == "clean-up"
    trunk.git("update-ref", "-d", f"refs/heads/{BRANCH}")
    look(project)
    hotfix.refresh_from_db()
    assert hotfix.finished_at is not None
    assert hotfix.tag == "v1.1.0"


def test_trunk_as_an_exception_from_the_production_tag(trunk: Repo) -> None:
    project = track(trunk, PRESETS[Preset.TRUNK])
    hotfix = hotfix_choose_way(opened(project), "cut", "The new till is half done.")
    trunk.branch(BRANCH, "v1.0.0")
    fix = trunk.commit({"app.py": app((3, MENDED))}, "[HOTFIX] TICKET-7: mend", branch=BRANCH)
    look(project)
    assert stage(hotfix, "branch").detail == "from v1.0.0"
    trunk.tag("v1.0.1", BRANCH, message="1.0.1")
    look(project)
    found = states(hotfix)
    assert (found["tag"], found["production"], found["merge-back"]) == ("done", "done", "owed")
    assert stage(hotfix, "merge-back").detail == "owed to main"
    trunk.pick(fix, "main", x=True)
    look(project)
    assert states(hotfix)["merge-back"] == "done"
    trunk.git("update-ref", "-d", f"refs/heads/{BRANCH}")
    look(project)
    hotfix.refresh_from_db()
    assert hotfix.finished_at is not None


def test_revert_ship_and_reapply(trunk: Repo) -> None:
    """The unreleased change in the way is undone by hand, the fix ships with main, then the change comes back."""
    project = track(trunk, PRESETS[Preset.TRUNK])
    hotfix = hotfix_choose_way(opened(project), "revert", "The new till must not ship.")
    half = trunk.sha("main")
    trunk.clock = int(hotfix.way_at.timestamp()) if hotfix.way_at else 0
    undone = trunk.revert(half, "main")
    look(project)
    debt = Debt.objects.get()
    assert (debt.branch, debt.undone, debt.reverted_by, debt.settled_at) == ("main", [half], undone, None)
    assert debt.subject == f"“{trunk.git('log', '-1', '--format=%s', half)}”"
    assert stage(hotfix, "merge-back").detail == "re-apply owed"
    assert hotfix.owed_count == 1
    trunk.branch(BRANCH, "main")
    trunk.commit({"app.py": app((3, MENDED))}, "[HOTFIX] TICKET-7: mend", branch=BRANCH)
    trunk.merge(BRANCH, "main", ff=True)
    trunk.tag("v1.0.1", "main", message="1.0.1")
    look(project)
    assert states(hotfix)["production"] == "done"
    assert stage(hotfix, "merge-back").state == "owed"
    back = trunk.revert(undone, "main")
    look(project)
    debt.refresh_from_db()
    assert debt.settled_at is not None
    assert debt.settled_by in (back, trunk.sha("main"))
    assert states(hotfix)["merge-back"] == "done"
    look(project)
    assert Debt.objects.count() == 1
    told = Event.objects.filter(kind__startswith="debt.").order_by("pk").values_list("kind", flat=True)
    assert list(told) == ["debt.owed", "debt.settled"]


def test_maintenance_lines(tmp_path: Path) -> None:
    repo = make_repo(tmp_path)
    repo.commit({"app.py": APP}, "Start")
    repo.branch("stable/1.2", "main")
    repo.tag("v1.2.0", "stable/1.2", message="1.2.0")
    repo.commit({"new.py": "new = 1\n"}, "TICKET-3 the next version", branch="main")
    project = track(repo, replace(PRESETS[Preset.MAINTENANCE], production=("stable/*",)))
    hotfix = opened(project)
    repo.branch(BRANCH, "v1.2.0")
    fix = repo.commit({"app.py": app((3, MENDED))}, "[HOTFIX] TICKET-7: mend", branch=BRANCH)
    look(project)
    assert (stage(hotfix, "branch").detail, hotfix.base_tag) == ("from v1.2.0", "v1.2.0")
    repo.merge(BRANCH, "stable/1.2")
    repo.tag("v1.2.1", "stable/1.2", message="1.2.1")
    look(project)
    assert stage(hotfix, "merge-back").detail == "owed to main"
    repo.pick(fix, "main", x=True)
    repo.git("update-ref", "-d", f"refs/heads/{BRANCH}")
    look(project)
    hotfix.refresh_from_db()
    assert (hotfix.finished_at is not None, hotfix.tag) == (True, "v1.2.1")


@pytest.mark.long
def test_a_fix_of_a_newer_line_waits_for_no_older_line(tmp_path: Path) -> None:
    repo = make_repo(tmp_path)
    repo.commit({"app.py": APP}, "Start")
    for line in ("1.1", "1.2", "1.3"):
        repo.commit({"new.py": f"new = '{line}'\n"}, f"Version {line}")
        repo.branch(f"stable/{line}", "main")
        repo.tag(f"v{line}.0", f"stable/{line}", message=line)
    project = track(repo, PRESETS[Preset.MAINTENANCE])
    hotfix = opened(project)
    repo.branch(BRANCH, "v1.3.0")
    fix = repo.commit({"app.py": app((3, MENDED))}, "[HOTFIX] TICKET-7: mend", branch=BRANCH)
    look(project)
    repo.merge(BRANCH, "stable/1.3")
    repo.tag("v1.3.1", "stable/1.3", message="1.3.1")
    look(project)
    assert stage(hotfix, "merge-back").detail == "owed to main"
    repo.pick(fix, "main", x=True)
    look(project)
    assert states(hotfix)["merge-back"] == "done"
    repo.git("update-ref", "-d", f"refs/heads/{BRANCH}")
    look(project)
    repo.commit({"more.py": "more = 1\n"}, "Work goes on", branch="main")
    look(project)
    hotfix.refresh_from_db()
    assert states(hotfix)["merge-back"] == "done"
    assert hotfix.finished_at is not None


def test_a_version_that_a_target_keeps_is_not_owed_to_it(tmp_path: Path) -> None:
    repo = make_repo(tmp_path)
    repo.commit({"app.py": APP, "core.h": "#define RELEASE 100\n"}, "Start")
    repo.tag("v1.0.0", message="1.0.0")
    repo.commit({"core.h": "#define RELEASE 110\n"}, "Work on 1.1", branch="main")
    project = track(repo, replace(PRESETS[Preset.TRUNK], version_files=("core.h",)))
    hotfix = opened(project)
    repo.branch(BRANCH, "v1.0.0")
    repo.commit({"core.h": "#define RELEASE 101\n"}, "[HOTFIX] TICKET-7: count up", branch=BRANCH)
    fix = repo.commit({"app.py": app((3, MENDED))}, "[HOTFIX] TICKET-7: mend", branch=BRANCH)
    look(project)
    repo.tag("v1.0.1", BRANCH, message="1.0.1")
    look(project)
    assert stage(hotfix, "merge-back").detail == "owed to main"
    repo.pick(fix, "main", x=True)
    look(project)
    assert states(hotfix)["merge-back"] == "done"
    ended = operation_carry_out_here(clean_up(hotfix).pk)
    assert ended is not None
    assert ended.state == Operation.State.DONE, ended.error_text
    assert not repo.exists(BRANCH)


def clean_up(hotfix: Hotfix) -> Operation:
    """Asked for as the button does."""
    hotfix.refresh_from_db()
    ask = clean_up_ask(Standing(hotfix))
    row, _made = operation_request(hotfix.project, ask.kind, ask.key, subject=ask.subject, params=ask.params)
    return row
