"""How big a fix is where several lines are production: measured from its own line, not from the first one."""

from __future__ import annotations

from pathlib import Path

import pytest

from releases.policies.flow import FlowPolicy, Preset
from tests.gitrepos import make_flow
from tests.hotfixes.playing import look, opened, track

pytestmark = pytest.mark.django_db


def test_a_fix_on_a_newer_line_is_not_measured_from_an_older_one(tmp_path: Path) -> None:
    repo = make_flow(tmp_path)
    repo.branch("stable/1.0", "main")
    for number in range(9):
        repo.commit({f"new{number}.py": "x = 1\n"}, f"Feature {number}", branch="main")
    repo.branch("stable/2.0", "main")
    repo.commit({"VERSION": "2.0.0\n"}, "Version 2.0.0", branch="stable/2.0")
    repo.tag("v2.0.0", "stable/2.0", message="2.0.0")
    policy = FlowPolicy(preset=Preset.MAINTENANCE, production=("stable/*",), targets=("main",), merge_back="pick")
    hotfix = opened(track(repo, policy))
    repo.branch("hotfix/TICKET-7", "v2.0.0")
    repo.commit({"new1.py": "x = 2\n"}, "[HOTFIX] TICKET-7: mend", branch="hotfix/TICKET-7")
    look(hotfix.project)
    hotfix.refresh_from_db()
    assert hotfix.base_tag == "v2.0.0"
    assert (hotfix.change["files"], hotfix.change["added"], hotfix.change["removed"]) == (1, 1, 1)
