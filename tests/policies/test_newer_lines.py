"""Several supported lines: a fix goes to main and to every newer line, never to an older one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from releases.evidence.verdicts import Report
from releases.policies.answer import answer
from releases.policies.flow import PRESETS, FlowPolicy, Preset
from releases.policies.newer_lines import answer_for_lines, supported_lines
from releases.policies.question import Question
from releases.policies.refs import read_refs
from tests.gitrepos import Repo, make_repo
from tests.policies.asking import APP, edited, fix_of

POLICY = PRESETS[Preset.MAINTENANCE]


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    """main, and the lines 1.2, 1.9 and 1.10 cut from it one after the other."""
    repo = make_repo(tmp_path)
    repo.commit({"app.py": APP}, "Start")
    for number, line in enumerate(("1.2", "1.9", "1.10")):
        repo.branch(f"stable/{line}", "main")
        repo.tag(f"v{line}.0", f"stable/{line}", message=line)
        repo.commit({f"new_{number}.py": "new = 1\n"}, f"TICKET-{number} next", branch="main")
    return repo


def judged(repo: Repo, policy: FlowPolicy = POLICY) -> Report:
    return answer_for_lines(repo.git_dir, Question.of(policy), preview=False)


def codes(report: Report, sha: str) -> dict[str, str]:
    return {name: verdict.verdict.value for name, verdict in fix_of(report, sha).verdicts.items()}


def test_a_fix_of_an_older_line_is_owed_to_main_and_to_every_newer_line(repo: Repo) -> None:
    fix = repo.commit({"app.py": edited(APP, line3="three mended")}, "TICKET-7 mend", branch="stable/1.2")
    report = judged(repo)
    assert report.targets == ("main", "stable/1.9", "stable/1.10")
    assert codes(report, fix) == {"main": "missing", "stable/1.9": "missing", "stable/1.10": "missing"}
    picked = repo.pick(fix, "stable/1.9", x=True)
    repo.pick(fix, "main", x=True)
    report = judged(repo)
    assert codes(report, fix) == {"main": "equivalent", "stable/1.9": "equivalent", "stable/1.10": "missing"}
    assert codes(report, picked) == {"main": "equivalent", "stable/1.10": "missing"}


def test_a_fix_of_a_newer_line_is_not_owed_to_an_older_one(repo: Repo) -> None:
    fix = repo.commit({"app.py": edited(APP, line3="three mended")}, "TICKET-7 mend", branch="stable/1.10")
    assert codes(judged(repo), fix) == {"main": "missing"}


def test_a_line_merged_forward_settles_it(repo: Repo) -> None:
    fix = repo.commit({"app.py": edited(APP, line3="three mended")}, "TICKET-7 mend", branch="stable/1.2")
    for line in ("stable/1.9", "stable/1.10", "main"):
        repo.merge("stable/1.2", line)
    report = judged(repo)
    assert report.owed == 0
    assert all(verdict.settled for told in report.fixes for verdict in told.verdicts.values()), fix


def test_a_line_that_ended_is_left_out(repo: Repo) -> None:
    fix = repo.commit({"app.py": edited(APP, line3="three mended")}, "TICKET-7 mend", branch="stable/1.2")
    ended = replace(POLICY, supported_until=("stable/1.9=2020-01-01",))
    assert codes(judged(repo, ended), fix) == {"main": "missing", "stable/1.10": "missing"}


def test_other_policies_are_answered_as_before(repo: Repo) -> None:
    fix = repo.commit({"app.py": edited(APP, line3="three mended")}, "TICKET-7 mend", branch="stable/1.2")
    policy = replace(POLICY, targets=("main",))
    assert supported_lines(Question.of(policy), read_refs(repo.git_dir)) == []
    same = answer(repo.git_dir, Question.of(policy), preview=False)
    assert codes(judged(repo, policy), fix) == codes(same, fix) == {"main": "missing"}
