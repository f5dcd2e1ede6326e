"""The truth that accuracy is measured against: a mistake here would flatter (or belie) the figures."""

from pathlib import Path

from bench.verdicts.accuracy import Judged, Score, score
from bench.verdicts.histories import Pair
from bench.verdicts.truth import Truth, change_id, origins, read_truth, reverted
from tests.gitrepos import make_repo

A, B, C = "a" * 40, "b" * 40, "c" * 12


def test_origins_are_what_messages_call_so():
    assert origins(f"Fix\n\n(cherry picked from commit {A})\n(cherry picked from commit {B})") == (A, B)
    assert origins(f"Fix\n\nBackport of {A} and {C} from main") == (A, C)
    assert origins(f"Fix\n\n[ Upstream commit {A} ]") == (A,)
    assert origins(f"Fix\n\ncommit {A} upstream.") == (A,)
    assert origins(f"Fix\n\nThis reverts commit {A}, introduced by {B}; see commit {C}.") == ()
    assert origins("Fix the cherry picked from commit deadend") == ()


def test_a_message_that_names_very_many_is_a_list():
    many = "\n".join(f"(cherry picked from commit {number:040x})" for number in range(1, 60))
    assert origins(many) == ()


def test_change_ids_and_reverts_are_read_from_lines_of_their_own():
    mark = "I" + "1" * 40
    assert change_id(f"Fix\n\nChange-Id: {mark}\n") == mark
    assert change_id(f"Fix as in Change-Id: {mark}, or so") == ""
    assert reverted(f'Revert "x"\n\nThis reverts commit {A}.') == (A,)
    assert reverted(f"This partly reverts commit {A}.") == ()


def line(tmp_path):
    repo = make_repo(tmp_path)
    repo.commit({"app.py": "one\n"}, "Start", branch="main")
    repo.branch("stable", "main")
    return repo


def truth_of(repo) -> Truth:
    return read_truth(Path(repo.git_dir), "stable", "main")


def test_trailers_are_followed_over_commits_that_are_in_neither_branch(tmp_path):
    repo = line(tmp_path)
    original = repo.commit({"app.py": "two\n"}, "Fix", branch="main")
    repo.branch("other", "stable")
    between = repo.commit({"app.py": "2\n"}, f"Fix\n\n(cherry picked from commit {original})", branch="other")
    fix = repo.commit({"app.py": "zwei\n"}, f"Fix\n\n(cherry picked from commit {between})", branch="stable")
    assert truth_of(repo).counterparts == {fix: {original}}


def test_a_port_forward_counts_and_what_never_came_does_not(tmp_path):
    repo = line(tmp_path)
    fix = repo.commit({"app.py": "two\n"}, "Fix", branch="stable")
    ported = repo.commit({"lib.py": "two\n"}, f"Fix\n\n(cherry picked from commit {fix})", branch="main")
    repo.branch("other", "main")
    lost = repo.commit({"c.py": "c\n"}, "Elsewhere", branch="other")
    repo.commit({"c.py": "c\n"}, f"Elsewhere\n\n(cherry picked from commit {lost})", branch="stable")
    assert truth_of(repo).counterparts == {fix: {ported}}


def test_empty_picks_and_counterparts_taken_back_stand_apart(tmp_path):
    repo = line(tmp_path)
    original = repo.commit({"app.py": "two\n"}, "Fix", branch="main")
    repo.revert(original, on="main")
    fix = repo.commit({"app.py": "two\n"}, f"Fix\n\n(cherry picked from commit {original})", branch="stable")
    kept = repo.commit({"b.py": "b\n"}, "Other", branch="main")
    empty = repo.commit(None, f"Other\n\n(cherry picked from commit {kept})", branch="stable")
    truth = truth_of(repo)
    assert truth.counterparts == {}
    assert truth.undone == {fix: {original}}
    assert truth.empty == {empty}


def judged(sha: str, code: str, *counterparts: str) -> Judged:
    return Judged(sha, "Fix", code, code in ("equivalent", "nothing_owed"), list(counterparts), "")


def test_a_wrong_first_name_and_a_mere_hint_count_against_the_engine():
    pair = Pair(Path("nowhere"), "example", "stable", "main")
    truth = Truth(["1", "2", "3", "4"], {sha: frozenset({f"{sha}t"}) for sha in "1234"})
    said = {
        "1": judged("1", "equivalent", "1t"),
        "2": judged("2", "likely", "x", "2t"),
        "3": judged("3", "partial", "3t"),
        "4": judged("4", "missing"),
    }
    without = {"1": judged("1", "equivalent", "x"), "2": judged("2", "likely", "x"), "3": judged("3", "nothing_owed"),
               "4": judged("4", "missing")}  # fmt: skip
    result = score(pair, truth, said, without, cherry=["1"])
    assert (result.fixes, result.found, result.named, result.cherry) == (4, 2, 3, 1)
    assert (result.answered, result.first_right) == (2, 1)
    assert (result.hidden, result.idle) == (1, 1)
    assert not result.good


def test_shares_of_nothing_are_not_perfect():
    assert Score("empty").share(0) is None
    assert Score("one", fixes=100, found=100, answered=100, first_right=99).good is False
