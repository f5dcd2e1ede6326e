"""Trial picks: what they find, what they leave behind, and what they do about objects that are not there."""

import pytest

from releases.evidence.trial import Conflict, Pick, Step, trial_picks
from releases.git.hunks import MAX_LINES, conflict_hunks
from tests.gitrepos import make_repo

APP = "".join(f"line {number}\n" for number in range(1, 21))


@pytest.fixture
def repo(tmp_path):
    repo = make_repo(tmp_path)
    repo.commit({"app.py": APP, "old.py": "old\n"}, "Start", branch="main")
    repo.branch("develop", "main")
    return repo


def pick(repo, sha, onto="develop"):
    return Pick(repo.sha(onto), (Step(repo.sha(f"{sha}~1"), sha),))


def test_a_clean_pick_names_the_tree_it_would_make(repo):
    fix = repo.commit({"tax.py": "tax = 1\n"}, "Tax", branch="main")
    (trial,) = trial_picks(repo.git_dir, [pick(repo, fix)])
    assert (trial.clean, trial.changes_nothing, trial.conflicts, trial.error) == (True, False, (), "")
    assert trial.tree == repo.git("rev-parse", f"{fix}^{{tree}}")


def test_a_pick_that_changes_nothing_says_so(repo):
    fix = repo.commit({"tax.py": "tax = 1\n"}, "Tax", branch="main")
    repo.commit({"tax.py": "tax = 1\n"}, "The same", branch="develop")
    (trial,) = trial_picks(repo.git_dir, [pick(repo, fix)])
    assert (trial.clean, trial.changes_nothing) == (True, True)


def test_conflicts_come_with_paths_kinds_and_hunks(repo):
    fix = repo.commit({"app.py": APP.replace("line 5\n", "five\n"), "old.py": "older\n"}, "Fix", branch="main")
    repo.commit({"app.py": APP.replace("line 5\n", "FIVE\n"), "old.py": None}, "Shout", branch="develop")
    (trial,) = trial_picks(repo.git_dir, [pick(repo, fix)], hunks=True)
    assert not trial.clean
    assert set(trial.conflicts) == {Conflict("app.py", "contents"), Conflict("old.py", "modify/delete")}
    assert trial.paths == ("app.py", "old.py") or trial.paths == ("old.py", "app.py")
    (hunk,) = trial.hunks
    assert (hunk.path, hunk.line, hunk.ours, hunk.theirs) == ("app.py", 5, ("FIVE",), ("five",))
    assert (hunk.before[-1], hunk.after[0]) == ("line 4", "line 6")


def test_several_steps_are_laid_one_on_another(repo):
    one = repo.commit({"app.py": APP.replace("line 5\n", "five\n")}, "One", branch="main")
    two = repo.commit({"app.py": APP.replace("line 5\n", "cinq\n")}, "Two", branch="main")
    steps = (Step(repo.sha(f"{one}~1"), one), Step(one, two))
    both, only = trial_picks(repo.git_dir, [Pick(repo.sha("develop"), steps), pick(repo, two)])
    assert both.clean
    assert both.tree == repo.git("rev-parse", f"{two}^{{tree}}")
    assert not only.clean


def test_a_merge_is_laid_on_against_its_first_parent(repo):
    repo.branch("hotfix/x", "main")
    repo.commit({"tax.py": "tax = 1\n"}, "Tax", branch="hotfix/x")
    repo.commit({"more.py": "more = 1\n"}, "More", branch="main")
    base = repo.sha("main")
    merge = repo.merge("hotfix/x", into="main")
    (trial,) = trial_picks(repo.git_dir, [Pick(repo.sha("develop"), (Step(base, merge),))])
    assert trial.clean
    assert not trial.changes_nothing


def test_a_first_commit_can_be_tried_too(repo):
    root = repo.raw_commit(repo.tree("main") | {}, [], "Root")
    (trial,) = trial_picks(repo.git_dir, [Pick(repo.sha("develop"), (Step(None, root),))])
    assert (trial.clean, trial.changes_nothing) == (True, True)


def test_what_cannot_be_read_spoils_only_its_own_trial(repo):
    fix = repo.commit({"tax.py": "tax = 1\n"}, "Tax", branch="main")
    broken = repo.commit({"app.py": APP.replace("line 5\n", "five\n")}, "Broken", branch="main")
    tree = repo.git("rev-parse", f"{broken}^{{tree}}")
    (repo.git_dir / "objects" / tree[:2] / tree[2:]).unlink()
    picks = [
        Pick("1" * 40, (Step(None, fix),)),
        Pick(repo.sha("develop"), (Step("2" * 40, fix),)),
        pick(repo, broken),
        pick(repo, fix),
    ]
    results = trial_picks(repo.git_dir, picks)
    assert [bool(trial.error) for trial in results] == [True, True, True, False]
    assert results[3].clean


def test_without_time_every_trial_says_so(repo):
    fix = repo.commit({"tax.py": "tax = 1\n"}, "Tax", branch="main")
    (trial,) = trial_picks(repo.git_dir, [pick(repo, fix)], timeout=0.01)
    assert trial.error


def test_the_repository_is_left_as_it_was(repo):
    fix = repo.commit({"app.py": APP.replace("line 5\n", "five\n")}, "Fix", branch="main")
    repo.commit({"app.py": APP.replace("line 5\n", "FIVE\n")}, "Shout", branch="develop")
    before = sorted(str(path) for path in repo.path.rglob("*"))
    trial_picks(repo.git_dir, [pick(repo, fix)], hunks=True)
    assert sorted(str(path) for path in repo.path.rglob("*")) == before


def test_settings_of_the_repository_run_nothing(repo, tmp_path):
    mark = tmp_path / "ran"
    repo.git("config", "merge.evil.driver", f"touch {mark}; false")
    repo.commit({".gitattributes": "* merge=evil\n"}, "Attributes", branch="develop")
    fix = repo.commit({"app.py": APP.replace("line 5\n", "five\n")}, "Fix", branch="main")
    repo.commit({"app.py": APP.replace("line 5\n", "FIVE\n")}, "Shout", branch="develop")
    trial_picks(repo.git_dir, [pick(repo, fix)])
    assert not mark.exists()


def test_hunks_are_cut_to_what_a_person_reads():
    many = "\n".join(f"row {number}" for number in range(500))
    content = f"top\n<<<<<<< a\n{many}\n=======\n{'x' * 900}\n>>>>>>> b\nend\n".encode()
    (hunk,) = conflict_hunks("app.py", content)
    assert len(hunk.ours) == MAX_LINES + 1
    assert len(hunk.theirs[0]) < 300
    assert conflict_hunks("logo.png", b"\0" + content) == []
    assert conflict_hunks("app.py", b"<<<<<<< never closed\n") == []
