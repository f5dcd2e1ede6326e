"""A throw-away folder with exactly one commit checked out, and a repository around it that reaches nothing else."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from . import runner
from .errors import NoSuchRef
from .values import Sha, refname_fault, shown

TIMEOUT = 600.0
_CONFIG = """[core]
	bare = false
	filemode = true
	logallrefupdates = false
	hooksPath = /dev/null
[gc]
	auto = 0
[maintenance]
	auto = false
"""


def check_out(git_dir: Path, commit: str, folder: Path, *, tag: str = "", tag_object: str = "") -> None:
    """Check a commit out into a new folder.

    Its `.git` borrows the objects of `git_dir`: history can be read, nothing is copied. HEAD is the commit itself;
    the only reference is `tag`, at `tag_object` (at the commit, for a lightweight one). There is no remote, no hook, no
    credential. Submodules and LFS files stay as they are in the tree. Raises GitError, NoSuchRef without the commit.
    """
    sha = Sha.parse(commit)
    if tag and (fault := refname_fault(tag)):
        raise NoSuchRef(f"{shown(tag)} is no tag: {fault}.")
    own = folder / ".git"
    _write_repository(own, git_dir, sha)
    if tag:
        name = own / "refs" / "tags" / tag
        name.parent.mkdir(parents=True, exist_ok=True)
        name.write_text(f"{Sha.parse(tag_object) if tag_object else sha}\n")
    runner.run(
        ["read-tree", "--reset", "-u", sha], git_dir=own, cwd=folder, timeout=TIMEOUT, guarded=True,
        env={"GIT_WORK_TREE": str(folder), "GIT_ADVICE": "0"},
    )  # fmt: skip


def lay_over(folder: Path, base: str, commit: str, wanted: Callable[[str], bool]) -> list[str]:
    """Bring the files that differ between two commits, and are wanted, into a checked-out folder as `commit` has them.

    Their paths, sorted; those that `commit` does not have are removed. Raises GitError.
    """
    own = folder / ".git"
    done = runner.run(
        ["diff-tree", "-r", "-z", "--no-renames", "--name-status", Sha.parse(base), Sha.parse(commit)], git_dir=own
    )
    fields = done.stdout.split(b"\0")
    changed = [(state, os.fsdecode(path)) for state, path in zip(fields[::2], fields[1::2], strict=False)]
    chosen = [(state, path) for state, path in changed if wanted(path)]
    kept = [path for state, path in chosen if state != b"D"]
    for state, path in chosen:
        if state == b"D":
            with suppress(FileNotFoundError, IsADirectoryError):  # A submodule is a folder, and empty.
                (folder / path).unlink()
    if kept:
        listed = b"".join(os.fsencode(path) + b"\0" for path in kept)
        runner.run(
            ["restore", f"--source={Sha.parse(commit)}", "--worktree", "--ignore-skip-worktree-bits",
             "--pathspec-from-file=-", "--pathspec-file-nul"],
            git_dir=own, cwd=folder, stdin=listed, timeout=TIMEOUT, guarded=True,
            env={"GIT_WORK_TREE": str(folder), "GIT_LITERAL_PATHSPECS": "1"},
        )  # fmt: skip
    return sorted(path for _state, path in chosen)


def _write_repository(own: Path, git_dir: Path, sha: Sha) -> None:
    """By hand: `git init` would cost two processes and bring templates along."""
    for name in ("objects/info", "objects/pack", "refs/heads", "refs/tags", "info"):
        (own / name).mkdir(parents=True)
    long = len(sha) == 64
    extensions = "\trepositoryformatversion = 1\n[extensions]\n\tobjectformat = sha256\n"
    (own / "config").write_text(_CONFIG + ("[core]\n" + extensions if long else ""))
    (own / "HEAD").write_text(f"{sha}\n")
    (own / "objects/info/alternates").write_text(f"{git_dir.resolve() / 'objects'}\n")
    if (git_dir / "shallow").exists():
        shutil.copyfile(git_dir / "shallow", own / "shallow")
