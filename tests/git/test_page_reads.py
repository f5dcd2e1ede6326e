"""Reads for pages: a few commits, one patch, one comparison, from real repositories."""

from __future__ import annotations

from pathlib import Path

import pytest

from releases.git import page_reads
from releases.git.errors import GitError, InvalidValue
from releases.git.page_reads import PageReads
from tests.factories import sha
from tests.gitrepos import Repo, make_flow


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    return make_flow(tmp_path)


def reads(repo: Repo) -> PageReads:
    return PageReads(repo.git_dir, lambda: 10.0)


def test_commits_that_are_not_there_are_left_out(repo: Repo) -> None:
    known = repo.commit({"a": "1\n"}, "Subject line\n\nBody", author="mira")
    found = reads(repo).commits([sha("nowhere"), known])
    assert [(info.sha, info.subject, info.author) for info in found] == [(known, "Subject line", "Mira")]
    assert found[0].authored_at is not None
    assert reads(repo).commits([sha("nowhere")]) == ()


def test_nothing_in_a_message_can_pose_as_another_field(repo: Repo) -> None:
    odd = repo.commit({"a": "1\n"}, "sub\x1fject\x01 \u202e<b>\n\nx", author="A\x1fB <a@example.org>")
    after = repo.commit({"a": "2\n"}, "Next")
    infos = reads(repo).log("", after, 0, 2)
    assert [info.sha for info in infos] == [after, odd]
    assert infos[1].subject == "sub\x1fject\x01 \u202e<b>"


def test_only_object_ids_reach_git(repo: Repo) -> None:
    for value in ("main", "--output=/tmp/x", "HEAD", "", "a" * 39, "x" * 40):
        with pytest.raises(InvalidValue):
            reads(repo).patch(value)
        with pytest.raises(InvalidValue):
            reads(repo).files(value, repo.sha("main"))
    with pytest.raises(InvalidValue):
        reads(repo).counts("-" * 40, repo.sha("main"))


def test_log_pages_through_what_the_other_lacks(repo: Repo) -> None:
    made = [repo.commit({"a": f"{number}\n"}, f"Change {number}") for number in range(7)]
    base, tip = repo.sha("v1.0.0"), made[-1]
    first, second = reads(repo).log(base, tip, 0, 4), reads(repo).log(base, tip, 4, 4)
    assert [info.sha for info in first + second] == made[::-1]
    assert reads(repo).log(tip, base, 0, 4) == ()


def test_comparison_counts_both_sides(repo: Repo) -> None:
    repo.commit({"a.txt": "1\n2\n"}, "One", author="mira")
    repo.commit({"bin": b"\0\1"}, "Two", author="mira")
    main, develop = repo.sha("main"), repo.sha("develop")
    assert reads(repo).counts(develop, main) == (1, 2)
    files, total = reads(repo).files(develop, main)
    assert total == 3
    assert {file.path: (file.added, file.removed) for file in files} == {
        "a.txt": (2, 0), "bin": (None, None), "feature.py": (0, 1),
    }  # fmt: skip
    people = reads(repo).contributors(develop, main)
    assert [(person.name, person.commits) for person in people] == [("Mira", 2)]


def test_file_names_with_tabs_and_newlines_stay_whole(repo: Repo) -> None:
    tip = repo.commit({"tab\tname\n.txt": "1\n"}, "Odd")
    files, _ = reads(repo).files(repo.sha("v1.0.0"), tip)
    assert files[0].path == "tab\tname\n.txt"


def test_patch_of_a_merge_is_what_it_brought(repo: Repo) -> None:
    repo.branch("hotfix/x", "main")
    repo.commit({"app.py": "fixed\n"}, "Fix", branch="hotfix/x")
    merged = repo.merge("hotfix/x", "main")
    assert "+fixed" in reads(repo).patch(merged)
    assert reads(repo).patch(merged, evil=True) == ""


def test_the_change_between_two_commits_and_from_nothing(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    first = repo.commit({"a": "1\n", "b": "x\n"}, "First")
    second = repo.commit({"a": "2\n"}, "Second")
    between = reads(repo).change(first, second)
    assert "-1\n+2\n" in between
    assert "b/b" not in between
    assert "+x\n" in reads(repo).change("", first)
    monkeypatch.setattr(page_reads, "MAX_PATCH", 20)
    assert len(reads(repo).change(first, second)) == 20
    with pytest.raises(InvalidValue):
        reads(repo).change("--output=/tmp/x", second)


def test_first_commit_and_large_patches_can_be_read(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    first = repo.log("main")[-1]
    assert "new file mode" in reads(repo).patch(first)
    large = repo.commit({"large.txt": "0123456789\n" * 300_000}, "Large")
    monkeypatch.setattr(page_reads, "MAX_PATCH", 64 << 10)
    assert len(reads(repo).patch(large)) <= 64 << 10


def test_missing_commit_is_a_named_error(repo: Repo) -> None:
    with pytest.raises(GitError) as error:
        reads(repo).patch(sha("nowhere"))
    assert error.value.sentence


def test_line_leaves_out_what_merges_brought(repo: Repo) -> None:
    repo.branch("topic", "main")
    inner = repo.commit({"t.txt": "1\n"}, "On the topic", branch="topic")
    merge = repo.merge("topic", into="main")
    after = repo.commit({"a": "after\n"}, "After")
    shown = [info.sha for info in reads(repo).line(after, 2)]
    assert shown == [after, merge]
    assert inner not in shown


def test_arrival_is_the_merge_or_the_commit_itself(repo: Repo) -> None:
    repo.branch("topic", "main")
    first = repo.commit({"t.txt": "1\n"}, "First", branch="topic")
    repo.commit({"t.txt": "2\n"}, "Second", branch="topic")
    merge = repo.merge("topic", into="main")
    own = repo.commit({"a": "after\n"}, "After")
    tip = repo.commit({"a": "tip\n"}, "Tip")
    elsewhere = repo.commit({"e": "1\n"}, "Elsewhere", branch="develop")

    def arrived(commit: str) -> str | None:
        found = reads(repo).arrival(commit, tip)
        return found.sha if found else None

    assert [arrived(commit) for commit in (first, own, tip, elsewhere)] == [merge, own, tip, None]
