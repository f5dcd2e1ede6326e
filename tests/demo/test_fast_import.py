"""Histories streamed to git: what is written is what git reads, and what goes wrong is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from releases.git.fast_import import FastImport, FastImportError, Signature

from .conftest import git

MARA = Signature("Mara", "mara@example.org", 1_700_000_000)
JONAS = Signature("Jonas", "jonas@example.org", 1_700_000_600)


def test_commits_merges_and_tags_read_back(tmp_path: Path) -> None:
    path = tmp_path / "r.git"
    with FastImport(path) as writer:
        first = writer.commit(
            author=MARA, committer=MARA, message="One\n", parents=[], changes={"a": b"1\n", "b": b"\x00"}
        )
        second = writer.commit(author=MARA, committer=JONAS, message="Two\n", parents=[first], changes={"b": None})
        side = writer.commit(author=JONAS, committer=JONAS, message="Side\n", parents=[first], changes={"d/c": b"3\n"})
        merge = writer.commit(
            author=JONAS, committer=JONAS, message="Merge\n", parents=[second, side], changes={"d/c": b"3\n"}
        )
        writer.branch("main", merge)
        writer.tag("v1", first, message="First\n", tagger=JONAS)
        writer.finish_refs()
    assert git(path, "log", "-1", "--format=%H %P", "main").split() == [merge, second, side]
    assert git(path, "log", "-1", "--format=%an %at %cn %ct", second).split() == [
        "Mara",
        "1700000000",
        "Jonas",
        "1700000600",
    ]
    assert git(path, "ls-tree", "-r", "--name-only", "main").split() == ["a", "d/c"]
    assert git(path, "rev-parse", "v1^{commit}").strip() == first
    assert git(path, "cat-file", "-t", "v1").strip() == "tag"
    assert git(path, "for-each-ref", "--format=%(refname)").split() == ["refs/heads/main", "refs/tags/v1"]
    git(path, "fsck", "--strict")


def test_two_roots_do_not_know_each_other(tmp_path: Path) -> None:
    path = tmp_path / "r.git"
    with FastImport(path) as writer:
        for name in ("one", "two"):
            root = writer.commit(author=MARA, committer=MARA, message=name, parents=[], changes={name: b""})
            writer.branch(name, root)
        writer.finish_refs()
    assert git(path, "ls-tree", "--name-only", "two").split() == ["two"]
    assert git(path, "rev-list", "--count", "two").strip() == "1"


def tag_badly(path: Path) -> None:
    with FastImport(path) as writer:
        root = writer.commit(author=MARA, committer=MARA, message="One", parents=[], changes={"a": b""})
        writer.tag("v1..2", root, message="no", tagger=MARA)


def test_what_git_refuses_is_told(tmp_path: Path) -> None:
    with pytest.raises(FastImportError, match="v1"):
        tag_badly(tmp_path / "r.git")


@pytest.mark.parametrize("path", ["/etc/passwd", "../up", "a/../b", 'quoted"', "two\nlines"])
def test_paths_stay_inside_and_plain(tmp_path: Path, path: str) -> None:
    with pytest.raises(ValueError, match="not a path"), FastImport(tmp_path / "r.git") as writer:
        writer.commit(author=MARA, committer=MARA, message="One", parents=[], changes={path: b""})


def test_an_error_of_the_caller_ends_the_process(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), FastImport(tmp_path / "r.git") as writer:
        raise RuntimeError
    assert writer.ended
