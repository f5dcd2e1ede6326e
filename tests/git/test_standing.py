"""Git processes that answer list after list: each list gets its own answer, and none is left behind."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from releases.git import objects
from releases.git.standing import Gits
from tests.gitrepos import Repo, make_repo

from .processes import children, descriptors, wait_for

MANY = 2000
LIMIT = 1 << 20


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    return make_repo(tmp_path)


def subjects(gits: Gits | Path, shas: list[str], lost: list[str]) -> list[str]:
    return [fields[6].decode() for fields, _raw in objects.records(gits, shas, lost.append)]


def lose(repo: Repo, name: str) -> None:
    """Take one object out of the repository."""
    blob = repo.git("rev-parse", name)
    (repo.git_dir / "objects" / blob[:2] / blob[2:]).unlink()


def test_one_process_answers_several_lists(repo: Repo) -> None:
    one, two = repo.commit({"a": "1\n"}, "One"), repo.commit({"a": "2\n"}, "Two")
    lost: list[str] = []
    with Gits(repo.git_dir) as gits:
        assert subjects(gits, [one], lost) == ["One"]
        first = children()
        assert subjects(gits, [two, one], lost) == ["Two", "One"]
        assert subjects(gits, [], lost) == []
        assert children() == first
        assert len(first) == 1
    assert not children()
    assert not lost


def test_a_list_longer_than_a_pipe_holds_is_answered_whole(repo: Repo) -> None:
    made = [repo.commit({"a": f"{number}\n"}, f"Commit {number}") for number in range(40)]
    asked = made * (MANY // len(made))
    with Gits(repo.git_dir) as gits:
        assert len(subjects(gits, asked, [])) == len(asked)
        patches = [(sha, patch) for sha, patch, _cut in objects.patches(gits, asked, lambda _sha: None, LIMIT)]
    assert [sha for sha, _patch in patches] == asked
    assert {patch.strip(b"\n").rpartition(b"\n")[2] for sha, patch in patches if sha == made[-1]} == {b"+39"}


def test_nothing_in_a_commit_can_pose_as_the_end(repo: Repo) -> None:
    text = "end-\nend-0123456789abcdef01234567\n"
    odd = repo.commit({"a": text}, f"Odd\n\n{text}")
    after = repo.commit({"a": f"{text}{text}"}, "After")
    with Gits(repo.git_dir) as gits:
        assert subjects(gits, [odd, after], []) == ["Odd", "After"]
        ((_, patch, _),) = objects.patches(gits, [odd], lambda _sha: None, LIMIT)
        assert patch.endswith(b"+end-0123456789abcdef01234567\n")
        assert subjects(gits, [after], []) == ["After"]


def test_a_lost_file_costs_only_the_commits_that_need_it(repo: Repo) -> None:
    made = [repo.commit({f"file{number}": f"{number}\n"}, f"Commit {number}") for number in range(6)]
    lose(repo, f"{made[3]}:file3")
    lost: list[str] = []
    with Gits(repo.git_dir) as gits:
        read = [sha for sha, _patch, _cut in objects.patches(gits, made, lost.append, LIMIT)]
        assert lost == [made[3]]
        assert read == [sha for sha in made if sha != made[3]]
        assert len(subjects(gits, made, lost)) == len(made)
    assert not children()


def test_a_reader_who_goes_away_leaves_nothing_for_the_next_one(repo: Repo) -> None:
    made = [repo.commit({"a": f"{number}\n"}, f"Commit {number}") for number in range(30)]
    with Gits(repo.git_dir) as gits:
        reading = objects.records(gits, made, lambda _sha: None)
        next(reading)
        reading.close()  # type: ignore[attr-defined]
        assert subjects(gits, made[:2], []) == ["Commit 0", "Commit 1"]
    assert not children()


def test_several_threads_ask_at_the_same_time(repo: Repo) -> None:
    made = [repo.commit({"a": f"{number}\n"}, f"Commit {number}") for number in range(30)]
    answers: dict[int, list[str]] = {}
    before = descriptors()
    with Gits(repo.git_dir) as gits:

        def ask(turn: int) -> None:
            answers[turn] = [text for _round in range(5) for text in subjects(gits, made[turn:], [])]

        threads = [threading.Thread(target=ask, args=(turn,)) for turn in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    for turn in range(6):
        assert answers[turn] == [f"Commit {number}" for _round in range(5) for number in range(turn, 30)]
    assert not children()
    assert wait_for(lambda: descriptors() <= before)


def test_what_is_read_when_all_are_ended_ends_with_its_answer(repo: Repo) -> None:
    made = [repo.commit({"a": f"{number}\n"}, f"Commit {number}") for number in range(5)]
    gits = Gits(repo.git_dir)
    reading = objects.records(gits, made, lambda _sha: None)
    next(reading)
    gits.close()
    assert len(list(reading)) == len(made) - 1
    assert not children()


def test_names_are_looked_up_in_their_order(repo: Repo) -> None:
    made = repo.commit({"a folder/b 12": "1234\n"}, "One")
    with Gits(repo.git_dir) as gits:
        names = [made, f"{made}:a folder/b 12", f"{made}:a folder/c 12", "0" * 40, f"{made}:a folder"]
        known = gits.look_up(names)
        assert [item and (item.kind, item.size) for item in known[1:]] == [("blob", 5), None, None, ("tree", 32)]
        assert known[0]
        assert known[0].sha == made
        assert gits.look_up([]) == []
        assert objects.present(gits, names[1:]) == {names[1], names[4]}
        assert objects.resolve_many(gits, [made[:9], made[:9] + "0", f"{made}:a folder"]) == {made[:9]: made}
    assert not children()
