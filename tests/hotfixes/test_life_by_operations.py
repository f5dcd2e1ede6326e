"""The same life by operations alone: what the buttons ask for, carried out as the worker does it."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from releases.hotfixes.errors import HotfixError
from releases.hotfixes.models import Debt, Hotfix
from releases.hotfixes.requests import (
    Ask,
    Standing,
    clean_up_ask,
    cut_ask,
    finish_ask,
    reapply_ask,
    revert_ask,
)
from releases.hotfixes.services import hotfix_choose_way, hotfix_review
from releases.operations.carrying import operation_carry_out
from releases.operations.models import Operation
from releases.operations.services import operation_request
from releases.policies.flow import PRESETS, FlowPolicy, Preset
from releases.policies.models import Verdict
from releases.views.merge_back import ask_for
from tests.factories import make_user
from tests.gitrepos import Repo, make_flow, make_repo
from tests.hotfixes.playing import APP, app, look, opened, stage, states, track

pytestmark = pytest.mark.django_db
BRANCH = "hotfix/TICKET-7"
MENDED = "total = (price * quantity).quantize(CENT, rounding=ROUND_HALF_UP)  # cents stay whole"


def carry(operation: Operation) -> Operation:
    operation_carry_out(operation.pk, "test")
    operation.refresh_from_db()
    assert operation.state == Operation.State.DONE, (operation.error_text, operation.outcome)
    return operation


def do(hotfix: Hotfix, ask: Ask, actor: Any) -> Operation:
    """Ask, carry out, and look at the remote afterwards."""
    made, _new = operation_request(
        hotfix.project, ask.kind, ask.key, subject=ask.subject, params=ask.params, actor=actor
    )  # fmt: skip
    carry(made)
    look(hotfix.project)
    hotfix.refresh_from_db()
    return made


@pytest.fixture
def manager() -> Any:
    return make_user("morgan", "release-manager", email="morgan@example.org", all_projects=True)


def test_from_cut_to_clean_up(tmp_path: Path, manager: Any) -> None:
    repo = make_flow(tmp_path)
    repo.branch("release/1.1", "develop")
    hotfix = hotfix_choose_way(opened(track(repo, FlowPolicy())), "cut", "Only the fix.", manager)
    do(hotfix, cut_ask(Standing(hotfix)), manager)
    assert repo.sha(BRANCH) == repo.sha("v1.0.0")
    assert (hotfix.branch, hotfix.base_tag, hotfix.stage) == (BRANCH, "v1.0.0", "fix")
    repo.commit({"app.py": app((3, MENDED))}, "[HOTFIX] TICKET-7: mend", branch=BRANCH)
    look(hotfix.project)
    hotfix.refresh_from_db()
    hotfix_review(hotfix, "approve", "", hotfix.head, manager)
    hotfix.refresh_from_db()
    do(hotfix, finish_ask(Standing(hotfix)), manager)
    assert (hotfix.tag, stage(hotfix, "merge-back").detail) == ("v1.0.1", "owed to 2 branches")
    for verdict in Verdict.objects.filter(owed=True).select_related("fix", "target"):
        operation, _new = ask_for(hotfix.project, verdict, manager)
        carry(operation)
    look(hotfix.project)
    hotfix.refresh_from_db()
    assert (states(hotfix)["merge-back"], hotfix.owed_count) == ("done", 0)
    do(hotfix, clean_up_ask(Standing(hotfix)), manager)
    assert not repo.exists(BRANCH)
    assert hotfix.finished_at is not None


def trunk(tmp_path: Path) -> Repo:
    repo = make_repo(tmp_path)
    repo.commit({"app.py": APP}, "Start")
    repo.tag("v1.0.0", message="1.0.0")
    for part in ("a", "b"):
        text = "".join(f"step_{n}_{part} = prepare({n})\n" for n in range(9))
        repo.commit({f"new_{part}.py": text}, f"TICKET-3 the new till, part {part}")
    return repo


def test_revert_ship_and_reapply(tmp_path: Path, manager: Any) -> None:
    repo = trunk(tmp_path)
    ways = [repo.sha("main~1"), repo.sha("main")]
    hotfix = hotfix_choose_way(opened(track(repo, PRESETS[Preset.TRUNK])), "revert", "It must not ship.", manager)
    with pytest.raises(HotfixError) as refused:
        revert_ask(Standing(hotfix), "main", [])
    assert refused.value.field == "commits"
    do(hotfix, revert_ask(Standing(hotfix), "main", ways), manager)
    debt = Debt.objects.get()
    assert (debt.branch, debt.undone, debt.settled_at) == ("main", ways, None)
    assert debt.reverted_by
    assert hotfix.owed_count == 1
    with pytest.raises(HotfixError, match="not in production yet"):
        reapply_ask(Standing(hotfix), debt)
    repo.clock = int(time.time())
    repo.commit({"app.py": app((3, MENDED))}, "[HOTFIX] TICKET-7: mend", branch="main")
    repo.tag("v1.0.1", "main", message="1.0.1")
    look(hotfix.project)
    hotfix.refresh_from_db()
    assert (hotfix.tag, stage(hotfix, "merge-back").detail) == ("v1.0.1", "re-apply owed")
    do(hotfix, reapply_ask(Standing(hotfix), debt), manager)
    debt.refresh_from_db()
    assert debt.settled_at is not None
    assert states(hotfix)["merge-back"] == "done"
    assert repo.read("main", "new_a.py").startswith("step_0_a")
    assert Debt.objects.count() == 1


def test_an_older_line_owes_main_and_the_newer_line(tmp_path: Path, manager: Any) -> None:
    repo = make_repo(tmp_path)
    repo.commit({"app.py": APP}, "Start")
    for line in ("1.2", "1.3"):
        repo.branch(f"stable/{line}", "main")
        repo.tag(f"v{line}.0", f"stable/{line}", message=line)
        repo.commit({f"new{line}.py": f"version = {line!r}\n"}, f"TICKET-3 after {line}", branch="main")
    hotfix = hotfix_choose_way(opened(track(repo, PRESETS[Preset.MAINTENANCE])), "cut", "The old line.", manager)
    with pytest.raises(HotfixError, match="no release in production"):
        cut_ask(Standing(hotfix), "v9.9.9")
    do(hotfix, cut_ask(Standing(hotfix), "v1.2.0"), manager)
    repo.commit({"app.py": app((3, MENDED))}, "[HOTFIX] TICKET-7: mend", branch=BRANCH)
    look(hotfix.project)
    hotfix.refresh_from_db()
    assert (hotfix.base_tag, Standing(hotfix).production) == ("v1.2.0", "stable/1.2")
    hotfix_review(hotfix, "approve", "", hotfix.head, manager)
    hotfix.refresh_from_db()
    do(hotfix, finish_ask(Standing(hotfix)), manager)
    assert (hotfix.tag, stage(hotfix, "merge-back").detail) == ("v1.2.1", "owed to 2 branches")
    for verdict in Verdict.objects.filter(owed=True).select_related("fix", "target"):
        operation, _new = ask_for(hotfix.project, verdict, manager)
        carry(operation)
    look(hotfix.project)
    assert states(hotfix)["merge-back"] == "done"
    hotfix.refresh_from_db()
    do(hotfix, clean_up_ask(Standing(hotfix)), manager)
    assert hotfix.finished_at is not None


@pytest.mark.sample(1)
@pytest.mark.parametrize(("finish", "merge_back"), [("ff", "merge"), ("squash", "pick"), ("squash", "merge")])
def test_every_way_to_finish_ends_clean(tmp_path: Path, manager: Any, finish: str, merge_back: str) -> None:
    repo = make_flow(tmp_path)
    policy = replace(FlowPolicy(), finish=finish, merge_back=merge_back, reviewers=0)
    hotfix = hotfix_choose_way(opened(track(repo, policy)), "cut", "Only the fix.", manager)
    do(hotfix, cut_ask(Standing(hotfix)), manager)
    repo.commit({"app.py": app((3, MENDED))}, "[HOTFIX] TICKET-7: mend the till", branch=BRANCH)
    repo.commit({"app.py": app((3, MENDED), (30, f"{MENDED} again"))}, "[HOTFIX] TICKET-7: and the rest", branch=BRANCH)
    look(hotfix.project)
    hotfix.refresh_from_db()
    do(hotfix, finish_ask(Standing(hotfix)), manager)
    assert (hotfix.tag, stage(hotfix, "merge-back").detail) == ("v1.0.1", "owed to develop")
    while owed := Verdict.objects.filter(owed=True).select_related("fix", "target").first():
        operation, _new = ask_for(hotfix.project, owed, manager)
        carry(operation)
        look(hotfix.project)
    assert states(hotfix)["merge-back"] == "done"
    hotfix.refresh_from_db()
    do(hotfix, clean_up_ask(Standing(hotfix)), manager)
    assert hotfix.finished_at is not None
