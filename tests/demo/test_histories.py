"""The demo's repositories are sound: git agrees with every merge, and every version of the applications works."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from releases.demo.build import CATALOGUE, build
from releases.demo.history import StoryError, add, change
from releases.demo.story import Story

from .conftest import NOW, git

NAMES = [entry.app.name for entry in CATALOGUE]
every_repository = pytest.mark.parametrize("name", NAMES)


def branches(repository: Path) -> list[str]:
    return git(repository, "for-each-ref", "--format=%(refname:short)", "refs/heads").split()


def checked_out(repository: Path, ref: str, folder: Path) -> Path:
    folder.mkdir()
    archive = subprocess.run(["git", "-C", str(repository), "archive", ref], capture_output=True, check=True).stdout
    subprocess.run(["tar", "-x", "-C", str(folder)], input=archive, check=True)
    return folder


@every_repository
def test_git_finds_nothing_wrong(repositories: dict[str, Path], name: str) -> None:
    git(repositories[name], "fsck", "--strict")


@every_repository
def test_merges_are_what_git_itself_would_have_made(repositories: dict[str, Path], name: str, tmp_path: Path) -> None:
    whole = tmp_path / "whole.git"
    shutil.copytree(repositories[name], whole)
    # What lies behind the cut of a shallow remote is there; without it git finds no common ground to merge from.
    (whole / "shallow").unlink(missing_ok=True)
    own_changes = git(whole, "log", "--all", "--merges", "--remerge-diff", "--format=").strip()
    assert own_changes == ""


@every_repository
def test_time_runs_forward_and_ends_before_now(repositories: dict[str, Path], name: str) -> None:
    rows = git(repositories[name], "log", "--all", "--format=%H %ct %P").splitlines()
    when = {row.split()[0]: int(row.split()[1]) for row in rows}
    for row in rows:
        sha, _, *parents = row.split()
        assert all(when[parent] <= when[sha] for parent in parents), row
    assert max(when.values()) <= NOW


@every_repository
def test_histories_have_a_plausible_size(repositories: dict[str, Path], name: str) -> None:
    count = int(git(repositories[name], "rev-list", "--count", "--all"))
    assert (30 if name == "legacy-batch" else 130) <= count <= 300


@every_repository
def test_authors_are_first_names_of_the_example_domain(repositories: dict[str, Path], name: str) -> None:
    authors = set(git(repositories[name], "log", "--all", "--format=%an|%ae|%cn|%ce").split("\n")) - {""}
    for line in authors:
        author, mail, committer, committer_mail = line.split("|")
        assert mail.endswith("@example.org")
        assert committer_mail.endswith("@example.org")
        assert " " not in author.removesuffix(" bot")
        assert " " not in committer.removesuffix(" bot")


@pytest.mark.sample(2)
@every_repository
def test_every_branch_passes_its_own_tests(repositories: dict[str, Path], name: str, tmp_path: Path) -> None:
    repository = repositories[name]
    newest = git(
        repository, "for-each-ref", "--sort=-creatordate", "--count=1", "--format=%(refname:short)", "refs/tags"
    )
    for index, ref in enumerate([*branches(repository), newest.strip()]):
        folder = checked_out(repository, ref, tmp_path / str(index))
        done = subprocess.run([sys.executable, "-m", "unittest"], cwd=folder, capture_output=True, text=True)
        assert done.returncode == 0, f"{ref}: {done.stderr}"
        assert "Ran 0 tests" not in done.stderr


@every_repository
def test_the_application_says_its_version(repositories: dict[str, Path], name: str, tmp_path: Path) -> None:
    entry = next(entry for entry in CATALOGUE if entry.app.name == name)
    folder = checked_out(repositories[name], "HEAD", tmp_path / "app")
    code = f"from {entry.app.package}.web import answer; print(answer('/healthz')['version'])"
    said = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True)
    assert said.stdout.strip() == (folder / "VERSION").read_text().strip()


def test_the_same_moment_gives_the_same_objects(repositories: dict[str, Path], tmp_path: Path) -> None:
    for entry in CATALOGUE:
        again = build(entry, tmp_path, NOW)
        assert git(again, "for-each-ref") == git(repositories[entry.app.name], "for-each-ref")


def test_dates_follow_the_moment(repositories: dict[str, Path], tmp_path: Path) -> None:
    later = build(CATALOGUE[0], tmp_path, NOW + 86_400)
    question = ("log", "-1", "--format=%ct", "v1.2.3")
    assert int(git(later, *question)) == int(git(repositories["checkout-api"], *question)) + 86_400


def test_a_remote_may_be_shallow(repositories: dict[str, Path]) -> None:
    assert git(repositories["legacy-batch"], "rev-parse", "--is-shallow-repository").strip() == "true"


def test_a_build_that_fails_leaves_nothing_that_looks_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = CATALOGUE[0]

    def cut(story: Story) -> None:
        raise RuntimeError("power cut")

    with monkeypatch.context() as patched:
        patched.setattr(Story, "tell", cut)
        with pytest.raises(RuntimeError, match="power cut"):
            build(entry, tmp_path, NOW)
    assert not (tmp_path / "checkout-api.git").exists()
    assert build(entry, tmp_path, NOW).is_dir()


def test_an_edit_that_does_not_fit_is_an_error(tmp_path: Path) -> None:
    from releases.demo.history import History, Person
    from releases.git.fast_import import FastImport

    somebody = Person("Mara")
    with FastImport(tmp_path / "r.git") as writer:
        history = History(writer)
        history.commit("main", "Start", [add("a.txt", "one\n")], by=somebody, at=NOW)
        with pytest.raises(StoryError, match="expected once"):
            history.commit("main", "Change", [change("a.txt", "two\n", "three\n")], by=somebody, at=NOW)
        history.publish()
    assert git(tmp_path / "r.git", "show", "main:a.txt") == "one\n"
