"""Merges in memory and what is written of them: ours where asked, nothing left behind, the same ids every time."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from releases.evidence.trial import Pick, Step, trial_picks
from releases.git import trees
from releases.git.changes import Changes
from releases.git.commits import Person, message_bytes, with_trailer
from releases.git.errors import MissingObject
from releases.git.ranges import lacking, parting, straight
from releases.git.reader import Reader
from tests.gitrepos import Entry, Repo, make_flow, make_repo

from .processes import children, descriptors

AIKO = Person("Aiko", "aiko@example.org", 1_768_000_000)


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    return make_flow(tmp_path)


def test_a_merge_is_the_one_that_git_makes(repo: Repo) -> None:
    repo.commit({"more.py": "x\n"}, "more", branch="main")
    with Changes(repo.git_dir) as work:
        merged = work.merge(repo.sha("develop"), repo.sha("main"))
    expected = repo.merge("main", into="develop")
    assert merged.tree == repo.git("rev-parse", f"{expected}^{{tree}}")


def test_what_is_not_kept_leaves_nothing(repo: Repo) -> None:
    before = sorted((repo.git_dir / "objects").rglob("*"))
    tip, base = repo.sha("develop"), repo.sha("main")
    with Changes(repo.git_dir) as work:
        merged = work.merge(tip, base)
        sha = work.write_commit(merged.tree, [tip, base], "Merge", AIKO, AIKO)
        assert work.commit(sha).parents == (tip, base)
    assert sorted((repo.git_dir / "objects").rglob("*")) == before
    with Changes(repo.git_dir) as work:
        assert work.write_commit(merged.tree, [tip, base], "Merge", AIKO, AIKO) == sha
        work.keep()
    assert repo.git("cat-file", "-t", sha) == "commit"
    assert not list((repo.git_dir / "objects").glob("tmp_*"))


def test_made_up_commits_are_never_kept(repo: Repo) -> None:
    with Changes(repo.git_dir) as work:
        picked = work.pick(repo.sha("main"), repo.sha("develop"))
        work.write_commit(picked.tree, [repo.sha("main")], "picked", AIKO, AIKO)
        work.keep()
    loose = repo.git("cat-file", "--batch-all-objects", "--batch-check=%(objectname)").split()
    authors = [
        repo.git("log", "-1", "--format=%an", sha) for sha in loose if repo.git("cat-file", "-t", sha) == "commit"
    ]
    assert "t" not in authors


def test_an_object_that_cannot_be_read_is_no_empty_folder(repo: Repo, tmp_path: Path) -> None:
    tree = repo.git("rev-parse", "develop^{tree}")
    (repo.git_dir / "objects" / tree[:2] / tree[2:]).unlink()
    repo.commit({"more.py": "x\n"}, "more", branch="main")
    with Changes(repo.git_dir) as work, pytest.raises(MissingObject):
        work.merge(repo.sha("main"), repo.sha("develop"))
    with Changes(repo.git_dir) as work, pytest.raises(MissingObject):
        work.merge(repo.sha("main"), "1" * 40)


def test_people_and_words_cannot_break_an_object(repo: Repo) -> None:
    hostile = Person("Mallory <x>\n\nparent 123\0", "a>b\nc", -5)
    with Changes(repo.git_dir) as work:
        tip = repo.sha("main")
        sha = work.write_commit(work.commit(tip).tree, [tip], "subject\r\n\0\x1b[2Jbody  \n\n\n", hostile, hostile)
        nobody = work.write_commit(work.commit(tip).tree, [tip], "", Person("<>", "", 0), AIKO)
        tag = work.write_tag("v9", sha, "-----\n# kept\nobject 123\n", hostile)
        work.keep()
    assert repo.git("log", "-1", "--format=%an|%ae|%at|%P", sha) == f"Mallory  x   parent 123|abc|0|{tip}"
    assert repo.git("log", "-1", "--format=%B", sha) == "subject\n��[2Jbody"
    assert repo.git("log", "-1", "--format=%an|%ae|%s", nobody) == "Unknown|unknown|No message"
    assert repo.git("cat-file", "-t", tag) == "tag"
    assert repo.git("fsck", "--no-dangling") == ""


def test_trailers_stand_together() -> None:
    assert with_trailer(b"Subject\n", b"A: b") == b"Subject\n\nA: b\n"
    assert with_trailer(b"Subject\n\nBody\n", b"A: b") == b"Subject\n\nBody\n\nA: b\n"
    assert with_trailer(b"Subject\n\nX: y\nZ: w\n", b"A: b") == b"Subject\n\nX: y\nZ: w\nA: b\n"
    assert with_trailer(b"fix: subject\n", b"A: b") == b"fix: subject\n\nA: b\n"
    assert message_bytes("x" * 200_000) == b"x" * 100_000 + b"\n"


def test_conflicting_submodules_do_not_hide_what_comes_after_them(repo: Repo) -> None:
    """Git ends its list of such conflicts with advice in prose."""
    base = repo.sha("main")
    ours = repo.commit({"vendor": Entry("1" * 40, 0o160000)}, "ours", branch="ours", parents=[base])
    theirs = repo.commit({"vendor": Entry("2" * 40, 0o160000)}, "theirs", branch="theirs", parents=[base])
    good = repo.commit({"good.py": "x\n"}, "good", branch="good", parents=[base])
    trials = trial_picks(repo.git_dir, [Pick(ours, (Step(base, theirs),)), Pick(ours, (Step(base, good),))])
    assert not trials[0].clean
    assert trials[0].paths == ("vendor",)
    assert trials[1].clean
    with Changes(repo.git_dir) as work:
        assert "submodule" in work.merge(ours, theirs).conflicts[0].kind


@pytest.mark.parametrize("seed", range(25))
def test_plain_merges_are_those_that_git_makes(tmp_path: Path, seed: int) -> None:
    """Modified, added, deleted, moved and overlapping files on both sides, in folders that come and go."""
    dice = random.Random(seed)
    repo = make_repo(tmp_path)
    names = [f"{folder}f{number}" for folder in ("", "a/", "a/b/", "c/") for number in range(3)]
    base = repo.commit({name: "".join(f"{name} {line}\n" for line in range(12)) for name in names}, "base")

    def side() -> str:
        changes: dict[str, str | None] = {}
        for name in dice.sample(names, dice.choice([1, 2, 2, 3])):
            lines = [f"{name} {line}\n" for line in range(12)]
            lines[dice.choice([2, 9])] = f"changed {dice.randint(1, 2)}\n"
            kind = dice.choice(["modify", "modify", "modify", "modify", "delete", "move"])
            changes[name] = "".join(lines) if kind == "modify" else None
            if kind == "move":
                changes[f"moved/{name}"] = "".join(lines)
        return repo.commit(changes, "side", branch=f"side{len(repo.log('--all'))}", parents=[base])

    ours, theirs = side(), side()
    with Changes(repo.git_dir) as work:
        quick, slow = work.merge(ours, theirs, base=base), work.merge(ours, theirs)
        picked = work.pick(ours, theirs)
        work.keep()
    assert quick.clean == slow.clean == picked.clean
    if slow.clean:
        assert quick.tree == slow.tree == picked.tree
    else:
        assert quick.conflicts == slow.conflicts


def test_only_the_folders_on_the_way_are_read_and_written(repo: Repo) -> None:
    files = {f"a{n}/b{n}/c.txt": f"{n}\n" for n in range(40)} | {"deep/er/VERSION": "1\n"}
    base = repo.commit(files, "many", branch="wide", parents=[repo.sha("main")])
    theirs = repo.commit({"deep/er/VERSION": "2\n", "a3/b3/c.txt": "changed\n"}, "t", branch="t", parents=[base])
    ours = repo.commit({"a9/b9/c.txt": "ours\n"}, "o", branch="o", parents=[base])
    read: list[str] = []
    with Changes(repo.git_dir) as work:
        plain = work.reader.tree
        work.reader.tree = lambda sha: read.append(sha) or plain(sha)  # type: ignore[method-assign, func-returns-value]
        merged = work.merge(ours, theirs, keep_ours=["VERSION"])
        work.keep()
    assert merged.kept == ("deep/er/VERSION",)
    assert repo.read(merged.tree, "deep/er/VERSION") == "1\n"
    assert repo.read(merged.tree, "a3/b3/c.txt") == "changed\n"
    assert len(read) < 20


@pytest.mark.parametrize(
    ("path", "globs", "expected"),
    [
        ("VERSION", ["VERSION"], True), ("src/VERSION", ["VERSION"], True), ("src/VERSION", ["/VERSION"], False),
        ("VERSION", ["/VERSION"], True), ("VERSION.md", ["VERSION"], False), ("CHANGELOG.md", ["CHANGELOG*"], True),
        ("CHANGES/1.txt", ["CHANGES*"], False),
        ("src/app/version.py", ["src/*/version.py"], True), ("app/version.py", ["src/**/version.py"], False),
        ("src/a/b/version.py", ["src/**/version.py"], True), ("changes.py", ["CHANGES*"], False), ("x", [], False),
    ],
)  # fmt: skip
def test_what_a_glob_names(path: str, globs: list[str], expected: bool) -> None:
    assert trees.path_matches(path.encode(), globs) is expected


def test_trees_are_taken_apart_and_put_together_as_git_has_them(repo: Repo) -> None:
    content = {"a": "1\n", "a.b": "2\n", "a-b": "3\n", "dir/x": "4\n", "dir.x": "5\n", "dir-x": Entry("6\n", 0o100755)}
    tip = repo.commit(content, "order", branch="order", parents=[])
    with Reader(repo.git_dir) as reader:
        raw = reader.tree(reader.commit(tip).tree)
        entries = trees.parse_tree(raw, 20)
        assert trees.compose_tree(dict(reversed(entries.items()))) == raw
        assert reader.blob(entries[b"a"].sha) == b"1\n"
        assert reader.blob(entries[b"a"].sha, 1) is None
        assert reader.peel("1" * 40) is None
        assert reader.peel(entries[b"a"].sha) is None
        assert trees.find(reader.tree, reader.commit(tip).tree, b"dir/none", 20) is None


def test_how_two_histories_lie_to_each_other(repo: Repo) -> None:
    main = repo.sha("main")
    one = repo.commit({"a": "1\n"}, "one", branch="one", parents=[main])
    two = repo.commit({"a": "2\n"}, "two", branch="one")
    sides = parting(repo.git_dir, main, two)
    with Reader(repo.git_dir) as reader:
        assert straight(reader, main, two) == sides
        assert straight(reader, repo.sha("develop"), two) is None
    assert sides.bases == (main,)
    assert list(sides.right) == [two, one]
    assert parting(repo.git_dir, two, two).bases == (two,)
    assert parting(repo.git_dir, two, main).right == {}
    other = repo.commit({"z": "1\n"}, "another world", branch="other", parents=[])
    assert parting(repo.git_dir, two, other).bases == ()
    assert set(lacking(repo.git_dir, main, [two])) == {one, two}
    assert lacking(repo.git_dir, main, []) == {}


def test_nothing_stays_open_or_running(repo: Repo, tmp_path: Path) -> None:
    before = descriptors()
    for _ in range(3):
        with Changes(repo.git_dir) as work:
            work.merge(repo.sha("develop"), repo.sha("main"))
    empty = make_repo(tmp_path, "empty.git")
    with Changes(empty.git_dir) as work, pytest.raises(MissingObject):
        work.commit("1" * 40)
    assert descriptors() == before
    assert not children()
