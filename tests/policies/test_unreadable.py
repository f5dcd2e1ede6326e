"""A repository that lacks some of its objects: only what rests on them is unknown."""

import shutil

import pytest

from releases.evidence.verdicts import Code
from tests.gitrepos import make_flow, make_repo

from .asking import APP, ask, edited, verdict_on


@pytest.fixture
def flow(tmp_path):
    """Two fixes: one that the target has in its history, one that it may have in a file nobody can read."""
    repo = make_flow(tmp_path)
    merged = repo.commit({"merged.py": "def merged():\n    return 1\n"}, "TICKET-6 merged", branch="main")
    repo.merge("main", into="develop")
    fix = repo.commit({"app.py": edited(APP, line5="five")}, "TICKET-7 round", branch="main")
    repo.commit({"app.py": edited(APP, line5="five, or so")}, "Say it otherwise", branch="develop", author="sam")
    return repo, merged, fix


def test_a_partial_clone_gives_every_verdict_that_needs_no_file(flow, tmp_path):
    repo, merged, fix = flow
    partial = make_repo(tmp_path, "partial.git")
    shutil.rmtree(partial.path)
    repo.git("config", "uploadpack.allowFilter", "true")
    repo.git("clone", "-q", "--bare", "--filter=blob:none", f"file://{repo.path}", str(partial.path))
    report = ask(partial)
    assert verdict_on(report, merged).verdict is Code.MERGED
    verdict = verdict_on(report, fix)
    assert (verdict.verdict, verdict.settled) == (Code.UNKNOWN, False), verdict.why
    assert "read" in verdict.why


def test_a_lost_file_makes_one_fix_unknown(flow):
    repo, merged, fix = flow
    blob = repo.git("rev-parse", f"{fix}:app.py")
    (repo.git_dir / "objects" / blob[:2] / blob[2:]).unlink()
    report = ask(repo)
    assert verdict_on(report, merged).verdict is Code.MERGED
    verdict = verdict_on(report, fix)
    assert (verdict.verdict, verdict.settled) == (Code.UNKNOWN, False), verdict.why
