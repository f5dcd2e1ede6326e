"""Counterparts that only names lead to: shown as Likely, never settled, and look-alikes left alone."""

from releases.evidence.text import requests, reverts
from releases.evidence.verdicts import Code
from tests.gitrepos import make_flow

from .asking import APP, ask, counterparts, edited, verdict_on


def lines(start, stop):
    return "".join(f"step {number} of the migration\n" for number in range(start, stop))


def test_requests_are_the_numbers_behind_a_subject():
    assert requests("Fix it (GH-12) (GH-34)") == ("12", "34")
    assert requests("Fix it (#12). (GH-GH-34)") == ("12", "34")
    assert requests('Revert "Fix it (#12)" (#56)') == ("56",)
    assert requests("Fix #12 in (parser) 34") == ()


def test_a_revert_of_a_part_undoes_nothing():
    sha = "a" * 40
    assert reverts(f"This reverts commit {sha}.") == (sha,)
    assert reverts(f"This partly reverts commit {sha}.") == ()
    assert reverts(f"This partially reverts commit {sha}.") == ()


def test_a_merge_request_named_by_a_rewritten_backport(tmp_path):
    repo = make_flow(tmp_path)
    copy = repo.commit({"src/parse.py": lines(0, 9)}, "Read empty lists (#21)", branch="develop", author="sam")
    fix = repo.commit({"legacy/reader.py": lines(4, 12)}, "[1.0] No crash on empty input (#21) (#24)", branch="main")
    verdict = verdict_on(ask(repo), fix)
    assert (verdict.verdict, verdict.settled) == (Code.LIKELY, False)
    assert counterparts(verdict) == {copy}


def test_the_request_that_took_a_change_back_is_not_its_counterpart(tmp_path):
    repo = make_flow(tmp_path)
    repo.commit({"src/other.py": lines(0, 9)}, 'Revert "Read lists (#21)" (#30)', branch="develop", author="sam")
    fix = repo.commit({"legacy/reader.py": lines(4, 12)}, "[1.0] No crash on empty input (#21) (#24)", branch="main")
    assert verdict_on(ask(repo), fix).verdict is Code.MISSING


def test_the_same_author_and_subject_in_files_that_moved(tmp_path):
    repo = make_flow(tmp_path)
    copy = repo.commit({"internal/cri/stats.go": lines(0, 9)}, "Cumulative stats never decrease", branch="develop")
    fix = repo.commit({"pkg/server/stats_linux.go": lines(5, 14)}, "Cumulative stats never decrease", branch="main")
    verdict = verdict_on(ask(repo), fix)
    assert (verdict.verdict, verdict.settled) == (Code.LIKELY, False)
    assert counterparts(verdict) == {copy}


def test_one_author_bumping_two_versions_made_two_changes(tmp_path):
    repo = make_flow(tmp_path)
    notes = "".join(f"a sentence that every release note holds, {number}\n" for number in range(6))
    repo.commit({"notes/2.0.md": notes + lines(0, 5)}, "Prepare release notes for v2.0", branch="develop")
    fix = repo.commit({"notes/1.4.md": notes + lines(20, 25)}, "Prepare release notes for v1.4", branch="main")
    assert verdict_on(ask(repo, commits=True), fix).verdict is Code.MISSING


def test_what_the_target_keeps_elsewhere_makes_no_part(tmp_path):
    repo = make_flow(tmp_path)
    vendored = {"vendor/lib/one.py": lines(0, 30), "vendor/lib/two.py": lines(30, 60)}
    repo.commit(vendored, "Keep a copy of the library", branch="main")
    fixed = edited(APP, line5="call(timeout=30)", line6="retry = 2")
    newer = {path: text.replace("step", "stage") for path, text in vendored.items()}
    fix = repo.commit({"app.py": fixed, **newer}, "TICKET-8 raise the timeout", branch="main")
    copy = repo.pick(fix, onto="develop", files={"app.py": fixed, **dict.fromkeys(vendored)})
    verdict = verdict_on(ask(repo), fix)
    assert (verdict.verdict, verdict.settled) == (Code.LIKELY, False), verdict.why
    assert counterparts(verdict) == {copy}
