"""Patches as rows: what git prints, odd paths, bounds, and how two patches differ."""

from __future__ import annotations

from pathlib import Path

import pytest

from releases.projects.patches import MAX_COMPARED, patch_difference, read_patch, visible
from tests.gitrepos import Repo, make_repo


def patch_of(repo: Repo, rev: str) -> str:
    return repo.git("show", "--format=", "-p", "-M", rev)


def test_lines_carry_their_numbers_and_counts(tmp_path: Path) -> None:
    repo = make_repo(tmp_path)
    repo.commit({"a.py": "one\ntwo\nthree\n"}, "Start")
    text = patch_of(repo, repo.commit({"a.py": "one\nTWO\nthree\nfour\n"}, "Change"))
    patch = read_patch(text)
    [file] = patch.files
    assert (file.path, file.added, file.removed, patch.added, patch.removed) == ("a.py", 2, 1, 2, 1)
    rows = [(line.kind, line.old, line.new, line.text) for line in file.hunks[0].lines]
    assert rows == [
        ("", 1, 1, "one"),
        ("del", 2, None, "two"),
        ("add", None, 2, "TWO"),
        ("", 3, 3, "three"),
        ("add", None, 4, "four"),
    ]


def test_lines_that_look_like_headers_stay_lines(tmp_path: Path) -> None:
    repo = make_repo(tmp_path)
    repo.commit({"a.sql": "-- old comment\n++ x\n"}, "Start")
    patch = read_patch(patch_of(repo, repo.commit({"a.sql": "diff --git a/x b/y\n@@ -1 +1 @@\n"}, "Change")))
    assert [file.path for file in patch.files] == ["a.sql"]
    assert [line.text for line in patch.files[0].hunks[0].lines if line.kind == "del"] == ["-- old comment", "++ x"]
    assert len([line for line in patch.files[0].hunks[0].lines if line.kind == "add"]) == 2


@pytest.mark.parametrize("path", ["plain.py", "with space.py", "ünï/códe.py", 'quo"te.py', "tab\there.py", "b/b.py"])
def test_odd_paths_are_read_as_they_are(tmp_path: Path, path: str) -> None:
    repo = make_repo(tmp_path)
    patch = read_patch(patch_of(repo, repo.commit({path: "text\n"}, "Add")))
    assert patch.files[0].path == path
    assert patch.files[0].note == "new file"


def test_what_hunks_cannot_show_is_said(tmp_path: Path) -> None:
    repo = make_repo(tmp_path)
    repo.commit({"gone.py": "x\n", "bin": b"\0\1\2", "old.py": "a\nb\nc\nd\ne\n"}, "Start")
    sha = repo.commit({"gone.py": None, "bin": b"\0\3", "old.py": None, "new.py": "a\nb\nc\nd\ne\n"}, "Change")
    files = {file.path: file for file in read_patch(patch_of(repo, sha)).files}
    assert files["gone.py"].note == "removed"
    assert files["bin"].note == "binary"
    assert files["new.py"].old_path == "old.py"


def test_bounds_cut_lines_but_not_counts(tmp_path: Path) -> None:
    repo = make_repo(tmp_path)
    sha = repo.commit({f"f{n}.txt": "line\n" * 50 for n in range(8)} | {"wide.txt": "w" * 9000 + "\n"}, "Many")
    patch = read_patch(patch_of(repo, sha), max_files=20, max_lines=120)
    assert patch.cut
    assert sum(len(hunk.lines) for file in patch.files for hunk in file.hunks) == 120
    assert patch.added == 8 * 50 + 1
    assert len(read_patch(patch_of(repo, sha), max_files=3).files) == 3
    wide = read_patch(patch_of(repo, sha)).files[-1]
    assert len(wide.hunks[0].lines[0].text) <= 500


def test_direction_and_control_characters_are_spelled_out() -> None:
    assert visible("a\u202eb\x1b[31m\u2066") == "a⟨U+202E⟩b⟨U+001B⟩[31m⟨U+2066⟩"
    assert visible("plain ☃ 修正\tx") == "plain ☃ 修正\tx"
    assert visible("x" * 30, 10) == "x" * 9 + "…"


def test_equal_changes_in_other_places_are_alike(tmp_path: Path) -> None:
    repo = make_repo(tmp_path)
    repo.commit({"a.py": "".join(f"line {n}\n" for n in range(30))}, "Start")
    repo.branch("develop")
    fix = repo.commit({"a.py": "".join(f"line {n}\n" for n in range(30)).replace("line 20\n", "new\n")}, "Fix")
    repo.commit({"a.py": "top\n" * 9 + "".join(f"line {n}\n" for n in range(30))}, "Grow", branch="develop")
    picked = repo.pick(fix, "develop")
    difference = patch_difference(patch_of(repo, fix), patch_of(repo, picked))
    assert difference.alike
    assert difference.same == 2


def test_what_only_one_side_changes_is_named(tmp_path: Path) -> None:
    repo = make_repo(tmp_path)
    repo.commit({"a.py": "a = 1\n", "b.py": "b = 1\n"}, "Start")
    repo.branch("develop")
    fix = repo.commit({"a.py": "a = 2\n", "b.py": "b = 2\n"}, "Fix")
    other = repo.commit({"a.py": "a = 3\n"}, "Fix in another way", branch="develop")
    difference = patch_difference(patch_of(repo, fix), patch_of(repo, other))
    assert not difference.alike
    assert (difference.same, difference.only_fix, difference.only_counterpart) == (1, 3, 1)
    files = {
        file.path: [(line.kind, line.text) for hunk in file.hunks for line in hunk.lines] for file in difference.files
    }
    assert ("del", "+a = 2") in files["a.py"]
    assert ("add", "+a = 3") in files["a.py"]
    assert [kind for kind, _ in files["b.py"]] == ["del", "del"]


def test_huge_patches_are_not_compared_line_by_line() -> None:
    huge = "diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -0,0 +1 @@\n" + "+y\n" * (MAX_COMPARED + 5)
    assert patch_difference(huge, huge).too_large
