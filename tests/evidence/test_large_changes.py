"""Large changes are compared where they may differ, small ones by one file first: the verdicts stay the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from releases.evidence.verdicts import Code, FixVerdict
from tests.gitrepos import Repo, make_repo

from .pushes import judge, lines

MANY = tuple(f"vendored/file{number}.py" for number in range(9))
OWN = "own.py"


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    """Two lines whose own file has other surroundings; the vendored files are the same."""
    made = make_repo(tmp_path)
    made.commit({OWN: lines(1), **{name: lines(2) for name in MANY}}, "Start")
    made.branch("develop", at="main")
    made.commit({OWN: lines(1).replace("value_1_3 ", "other_1_3 ")}, "Surroundings", branch="develop")
    return made


def change(repo: Repo, branch: str, name: str, word: str = "total_of_it") -> str:
    """The same update of every file; `word` stands in the own one."""
    own = repo.read(branch, OWN)
    for old, new in (
        ("value_1_5 =", f"{word} ="),
        ("value_1_6 =", "total_of_all ="),
        ("value_1_7 =", "total_of_none ="),
    ):
        own = own.replace(old, new)
    return repo.commit({OWN: own, **{path: lines(3) for path in MANY}}, name, branch=branch)


def verdict(repo: Repo, fix: str) -> FixVerdict:
    return judge(repo, None)["develop", fix]


def test_the_same_lines_in_other_surroundings_are_found_among_many_equal_files(repo: Repo) -> None:
    fix, same = change(repo, "main", "Update"), change(repo, "develop", "Update")
    found = verdict(repo, fix)
    assert (found.verdict, found.commits[0].counterparts) == (Code.EQUIVALENT, (same,))
    assert [code.value for code in found.commits[0].evidence] == ["no-context"]


def test_another_line_in_one_of_many_files_is_no_equal_change(repo: Repo) -> None:
    fix = change(repo, "main", "Update")
    other = change(repo, "develop", "Update", word="total_of_xx")
    found = verdict(repo, fix)
    assert (found.verdict, found.commits[0].counterparts) == (Code.LIKELY, (other,))
    assert found.commits[0].similarity is not None
    assert 0.9 < found.commits[0].similarity < 1


def test_one_file_of_equal_growth_tells_strangers_apart(repo: Repo) -> None:
    fix = repo.commit({OWN: lines(1).replace("value_1_9 =", "total_a_9 =")}, "Name it", branch="main")
    text = repo.read("develop", OWN).replace("value_1_9 =", "total_b_9 =")
    repo.commit({OWN: text}, "Call it otherwise", branch="develop", author="sam")
    assert verdict(repo, fix).verdict is Code.MISSING
