"""Throw-away folders in which steps run: made, locked while in use, removed, and swept when their worker died."""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from releases.git.checkout import check_out, lay_over

_LOCK = "lock"
PROBE_OVER = 300.0
"""Seconds after which the folder of a probe that asks by a command belongs to one that was killed."""
SWEEP_AFTER = 60.0
"""Seconds: a younger folder may be about to be locked."""


@dataclass(frozen=True, slots=True)
class Workspace:
    """One throw-away folder and what lies in it."""

    root: Path
    commit: str

    @property
    def source(self) -> Path:
        """The checked-out commit; where commands run."""
        return self.root / "source"

    @property
    def home(self) -> Path:
        return self.root / "home"

    @property
    def temp(self) -> Path:
        return self.root / "tmp"

    @property
    def output_file(self) -> Path:
        """For facts; see `renew`."""
        return self.root / "output"

    @property
    def env(self) -> dict[str, str]:
        """Variables that lead a command's files into this folder."""
        return {"HOME": str(self.home), "TMPDIR": str(self.temp)}

    def renew(self) -> None:
        """Before each step: no facts of the one before."""
        _remove(self.output_file)
        self.output_file.touch(mode=0o600)


@contextmanager
def workspace(git_dir: Path, commit: str, tag: str, *, root: Path, tag_object: str = "") -> Iterator[Workspace]:
    """A new folder below `root` with exactly this commit checked out; removed with the block.

    Its `.git` has HEAD and the tag, reads history from the mirror, and reaches nothing else. Raises GitError.
    """
    root.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder = Path(tempfile.mkdtemp(dir=root, prefix="run-"))
    lock = _locked(folder)
    try:
        space = Workspace(folder, commit)
        for path in (space.source, space.home, space.temp):
            path.mkdir(mode=0o700)
        space.renew()
        check_out(git_dir, commit, space.source, tag=tag, tag_object=tag_object)
        yield space
    finally:
        _remove(folder)
        os.close(lock)


def overlay(space: Workspace, commit: str, globs: Sequence[str]) -> list[str]:
    """Put the files of `commit` that differ from what is checked out, and match, over it; their paths.

    A prove step does this with the tests of a fix, in a workspace of the release that the fix was cut from.
    """
    return lay_over(space.source, space.commit, commit, lambda path: any(_fits(path, glob) for glob in globs))


def workspaces_sweep(root: Path) -> int:
    """Remove folders whose worker died, those of probes included; how many."""
    removed = 0
    for folder in sorted(root.glob("probe-*")):
        with suppress(OSError):
            # A probe lasts a minute at most.
            if time.time() - folder.stat().st_mtime > PROBE_OVER:
                _remove(folder)
                removed += 1
    for folder in sorted(root.glob("run-*")):
        with suppress(OSError):
            if time.time() - folder.stat().st_mtime < SWEEP_AFTER:
                continue
            try:
                lock = _locked(folder)
            except BlockingIOError:
                continue
            _remove(folder)
            os.close(lock)
            removed += 1
    return removed


def _locked(folder: Path) -> int:
    """A descriptor that holds the folder as long as this process lives; commands do not inherit it."""
    lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        raise
    return lock


def _fits(path: str, glob: str) -> bool:
    """A glob without a slash is about the file's name; `**/` may stand for nothing."""
    if "/" not in glob:
        return fnmatchcase(path.rpartition("/")[2], glob)
    return fnmatchcase(path, glob) or (glob.startswith("**/") and fnmatchcase(path, glob.removeprefix("**/")))


def _remove(path: Path) -> None:
    """Remove a file or folder, read-only folders in it included; what cannot be removed is left for the next sweep."""
    if path.is_symlink() or not path.is_dir():
        path.unlink(missing_ok=True)
        return
    try:
        shutil.rmtree(path)
    except OSError:
        _unlock(path)
        shutil.rmtree(path, ignore_errors=True)


def _unlock(path: Path) -> None:
    """Open all folders below, so that what is in them can be removed (Go's module cache is read-only, for one)."""
    for folder, names, _files in os.walk(path):
        for inner in (os.path.join(folder, name) for name in names):
            if not os.path.islink(inner):
                with suppress(OSError):
                    os.chmod(inner, stat.S_IRWXU)
