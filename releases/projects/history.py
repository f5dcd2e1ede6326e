"""What pages read from a mirror: commits, patches, comparisons; bounded, within seconds, remembered by object id.

A page must answer also where the mirror is not, or when git fails: every question then gives None, and `problem`
says in one sentence why.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

from releases.git import spans
from releases.git.errors import GitError
from releases.git.page_reads import CommitInfo, Contributor, FileCount, PageReads

from .models import Project
from .patches import Difference, Patch, patch_difference, read_patch
from .services.mirrors import mirror_folder

T = TypeVar("T")

SECONDS = 5.0
"""All git calls of one page together."""
NO_MIRROR = "The mirror of this repository is not on this machine."
OUT_OF_TIME = "Git took too long for a page."
_KEPT = 400
_KEPT_BYTES = 48 << 20

_memory: OrderedDict[tuple[Any, ...], tuple[Any, int]] = OrderedDict()
_lock = threading.Lock()
_held = 0


def remembered(key: tuple[Any, ...], ask: Callable[[], T], size: Callable[[T], int] = lambda _: 4096) -> T:
    """The answer for this key from this process's memory, or asked now. Keys hold object ids, so nothing goes stale."""
    global _held
    with _lock:
        if key in _memory:
            _memory.move_to_end(key)
            return cast(T, _memory[key][0])
    answer = ask()
    with _lock:
        if key not in _memory:
            _memory[key] = answer, size(answer)
            _held += _memory[key][1]
        while _memory and (len(_memory) > _KEPT or _held > _KEPT_BYTES):
            _held -= _memory.popitem(last=False)[1][1]
    return answer


@dataclass(frozen=True, slots=True)
class Comparison:
    """From one commit to another: what only the one has, what only the other has, and how the files differ."""

    behind: int
    """Commits that only the first has."""
    ahead: int
    """Commits that only the second has."""
    commits: tuple[CommitInfo, ...]
    """A page of those that only the second has, newest first."""
    files: tuple[FileCount, ...]
    files_total: int
    contributors: tuple[Contributor, ...]

    @property
    def added(self) -> int:
        return sum(file.added or 0 for file in self.files)

    @property
    def removed(self) -> int:
        return sum(file.removed or 0 for file in self.files)


class History:
    """One project's mirror, for the length of one page."""

    def __init__(self, git_dir: Path | None, seconds: float = SECONDS) -> None:
        self.git_dir = git_dir
        self.problem = "" if git_dir else NO_MIRROR
        self._until = time.monotonic() + seconds
        self._reads = PageReads(git_dir, self._left) if git_dir else None

    def _left(self) -> float:
        return max(0.05, self._until - time.monotonic())

    def ask(self, question: Callable[[], T]) -> T | None:
        """The answer, or None with `problem` set. After the time is up nothing more is asked."""
        if self._reads is None:
            return None
        if time.monotonic() >= self._until:
            self.problem = self.problem or OUT_OF_TIME
            return None
        try:
            return question()
        except (GitError, OSError) as error:
            self.problem = self.problem or (error.sentence if isinstance(error, GitError) else NO_MIRROR)
            return None

    def commits(self, shas: Sequence[str]) -> dict[str, CommitInfo]:
        """What is known of these commits; those that the mirror lacks are left out."""
        reads = self._reads
        if reads is None or not shas:
            return {}
        wanted = tuple(sorted(set(shas)))
        found = self.ask(lambda: remembered(("commits", *wanted), lambda: reads.commits(wanted)))
        return {info.sha: info for info in found or ()}

    def patch_text(self, sha: str, evil: bool = False) -> str | None:
        """The patch of one commit against its first parent; of an evil merge what the merge itself changed."""
        reads = self._reads
        if reads is None:
            return None
        return self.ask(
            lambda: remembered(("patch", sha, evil), lambda: reads.patch(sha, evil=evil), size=lambda text: len(text))
        )

    def patch(self, sha: str, evil: bool = False, max_lines: int = 400) -> Patch | None:
        text = self.patch_text(sha, evil)
        return None if text is None else read_patch(text, max_lines=max_lines)

    def change(self, since: str, until: str, max_lines: int = 400) -> Patch | None:
        """What differs between two commits, file by file; `since` empty: from nothing."""
        reads = self._reads
        if reads is None:
            return None
        key = ("change", since, until)
        text = self.ask(lambda: remembered(key, lambda: reads.change(since, until), size=lambda text: len(text)))
        return None if text is None else read_patch(text, max_lines=max_lines)

    def difference(self, sha: str, counterpart: str) -> Difference | None:
        """How the patch of a fix's commit and that of its counterpart differ."""

        def compare() -> Difference | None:
            ours, theirs = self.patch_text(sha), self.patch_text(counterpart)
            return None if ours is None or theirs is None else patch_difference(ours, theirs)

        return self.ask(lambda: remembered(("difference", sha, counterpart), lambda: _sure(compare())))

    def log(
        self, since: str, until: str, skip: int = 0, limit: int = 50, before: int = 0
    ) -> tuple[CommitInfo, ...] | None:
        """Commits that `until` has and `since` (empty: nothing) has not, newest first.

        `before`: only those committed until then, in seconds since 1970; 0 for all.
        """
        reads = self._reads
        if reads is None:
            return None
        key = ("log", since, until, skip, limit, before)
        return self.ask(lambda: remembered(key, lambda: reads.log(since, until, skip, limit, before), _many))

    def count(self, since: str, until: str, before: int = 0) -> int | None:
        """How many commits `log` lists in all."""
        reads = self._reads
        if reads is None:
            return None
        return self.ask(lambda: remembered(("count", since, until, before), lambda: reads.count(since, until, before)))

    def witnesses(self, since: str, until: str) -> tuple[tuple[str, str], ...] | None:
        """What the commits in between say of who looked at them: trailer and name, as often as they stand there."""
        reads = self._reads
        if reads is None:
            return None
        return self.ask(lambda: remembered(("witnesses", since, until), lambda: reads.witnesses(since, until), _many))

    def line(self, tip: str, limit: int) -> tuple[CommitInfo, ...] | None:
        """The last commits of a branch itself, without what its merges brought, newest first."""
        reads = self._reads
        if reads is None:
            return None
        return self.ask(lambda: remembered(("line", tip, limit), lambda: reads.line(tip, limit), _many))

    def arrival(self, commit: str, tip: str) -> CommitInfo | None:
        """The commit of the branch itself by which `commit` came into it; None when it is not in it, or not known."""
        reads = self._reads
        if reads is None:
            return None
        return self.ask(lambda: remembered(("arrival", commit, tip), lambda: reads.arrival(commit, tip)))

    def contributors(self, since: str, until: str) -> tuple[Contributor, ...] | None:
        reads = self._reads
        if reads is None:
            return None
        key = ("contributors", since, until)
        return self.ask(lambda: remembered(key, lambda: reads.contributors(since, until), _many))

    def files(self, since: str, until: str) -> tuple[tuple[FileCount, ...], int] | None:
        """The files that differ between two commits, as many as a page shows, and how many there are."""
        reads = self._reads
        if reads is None:
            return None
        key = ("files", since, until)
        return self.ask(lambda: remembered(key, lambda: reads.files(since, until), lambda pair: _many(pair[0])))

    def people(self, since: str, until: str) -> spans.People | None:
        """Everybody who wrote what `until` has and `since` (empty: nothing) has not; nobody is left out."""
        git_dir = self.git_dir
        if git_dir is None:
            return None
        key = ("people", since, until)
        return self.ask(
            lambda: remembered(
                key,
                lambda: spans.people(git_dir, since, until, timeout=self._left()),
                lambda p: _many(tuple(p.authors)),
            )
        )

    def all_paths(self, since: str, until: str) -> tuple[str, ...] | None:
        """Every path that differs between two commits (`since` empty: from nothing)."""
        git_dir = self.git_dir
        if git_dir is None:
            return None
        key = ("all-paths", since, until)
        return self.ask(
            lambda: remembered(key, lambda: spans.paths(git_dir, since, until, timeout=self._left()), _many)
        )

    def all_files(self, since: str, until: str) -> tuple[FileCount, ...] | None:
        """The same files with their lines counted, which takes longer."""
        git_dir = self.git_dir
        if git_dir is None:
            return None
        key = ("all-files", since, until)
        return self.ask(
            lambda: remembered(key, lambda: spans.files(git_dir, since, until, timeout=self._left()), _many)
        )

    def counts(self, first: str, second: str) -> tuple[int, int] | None:
        """How many commits only the first has, and how many only the second."""
        reads = self._reads
        if reads is None:
            return None
        return self.ask(lambda: remembered(("counts", first, second), lambda: reads.counts(first, second)))

    def compare(self, first: str, second: str, skip: int = 0, limit: int = 50) -> Comparison | None:
        reads = self._reads
        if reads is None:
            return None
        counts = self.counts(first, second)
        commits, files = self.log(first, second, skip, limit), self.files(first, second)
        people = self.contributors(first, second)
        if counts is None or commits is None or files is None or people is None:
            return None
        return Comparison(counts[0], counts[1], commits, files[0], files[1], people)


def _many(items: Sequence[object]) -> int:
    return 512 * len(items) + 256


def _sure(difference: Difference | None) -> Difference:
    if difference is None:
        raise GitError("Git could not show one of the two commits.")
    return difference


@contextmanager
def reading(project: Project, seconds: float = SECONDS) -> Iterator[History]:
    """The project's mirror for the length of one page; `problem` tells when it is not here."""
    folder = mirror_folder(project)
    yield History(folder if (folder / "HEAD").exists() else None, seconds)
