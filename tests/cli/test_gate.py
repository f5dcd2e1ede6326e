"""`manage.py gate` from outside: would this candidate bring a fixed bug back?"""

import pytest

from tests.gitrepos import make_flow
from tests.policies.asking import APP, edited

from .running import run_command


@pytest.fixture
def repo(tmp_path):
    repo = make_flow(tmp_path)
    repo.branch("release/1.1", "develop")
    repo.branch("hotfix/TICKET-7-vat", "main")
    repo.commit({"app.py": edited(APP, line5="five")}, "TICKET-7 round per line", branch="hotfix/TICKET-7-vat")
    repo.merge("hotfix/TICKET-7-vat", into="main", message="Merge branch 'hotfix/TICKET-7-vat'")
    repo.tag("v1.0.1", "main", message="1.0.1")
    return repo


def gate(tmp_path, repo, candidate, *args):
    var = tmp_path / "var"
    var.mkdir(exist_ok=True)
    return run_command(var, "gate", str(repo.path), "--candidate", candidate, "--production", "main", *args)


def test_a_candidate_without_a_live_fix_is_stopped(tmp_path, repo):
    done = gate(tmp_path, repo, "release/1.1")
    assert done.code == 1
    assert "release/1.1 would bring 1 fixed bug back." in done.out
    assert "TICKET-7 round per line" in done.out
    data = gate(tmp_path, repo, "release/1.1", "--format", "json").data
    assert (data["safe"], data["candidate"], len(data["returning"]), data["to_check"]) == (False, "release/1.1", 1, [])
    assert data["returning"][0]["verdicts"]["release/1.1"]["verdict"] == "missing"


def test_a_candidate_with_every_fix_passes(tmp_path, repo):
    repo.pick("hotfix/TICKET-7-vat", onto="release/1.1")
    done = gate(tmp_path, repo, "release/1.1")
    assert (done.code, "is safe" in done.out) == (0, True)
    data = gate(tmp_path, repo, repo.sha("release/1.1"), "--format", "json").data
    assert (data["safe"], data["kept"]) == (True, 1)


def test_what_is_only_likely_is_not_passed(tmp_path, repo):
    fix = repo.sha("hotfix/TICKET-7-vat")
    repo.commit({"app.py": edited(APP, line5="taken otherwise")}, "Taken", branch="release/1.1")
    repo.pick(fix, onto="release/1.1", files={"app.py": edited(APP, line5="five in another way")})
    data = gate(tmp_path, repo, "release/1.1", "--format", "json")
    assert (data.code, data.data["safe"]) == (1, False)
    assert len(data.data["to_check"]) == 1


def test_errors_are_told_from_answers(tmp_path, repo):
    done = gate(tmp_path, repo, "nowhere", "--format", "json")
    assert (done.code, done.data["error"]["code"]) == (2, "no-such-ref")
    assert gate(tmp_path, repo, "nowhere").code == 2
