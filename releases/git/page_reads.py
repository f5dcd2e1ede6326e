"""Reads for pages: a few commits, one patch, one comparison; each bounded in output and in time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from . import runner
from .objects import DIFF
from .values import Sha

MAX_PATCH = 2 << 20
"""Bytes of one patch that a page reads; the rest is left out."""
MAX_FILES = 300
"""Files of a comparison that a page lists."""
MAX_CONTRIBUTORS = 100
WITNESSES = ("Reviewed-by", "Tested-by", "Acked-by", "Approved-by")
"""Trailers that say who looked at a commit."""
MAX_WITNESSED = 2000
"""Commits whose trailers are read."""
EMPTY_TREES = {
    40: "4b825dc642cb6eb9a060e54bf8d69288fbee4904",
    64: "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321",
}
"""The folder with nothing in it, by the length of an object id; git knows it without having it."""
_MAX_TEXT = 8 << 20
_FIELDS = ("%H", "%P", "%an", "%ae", "%at", "%ct", "%s")
_FORMAT = "--format=tformat:" + "".join(f"{field}%x00" for field in _FIELDS)


@dataclass(frozen=True, slots=True)
class CommitInfo:
    """A commit as a list shows it."""

    sha: str
    parents: tuple[str, ...]
    author: str
    email: str
    authored_at: datetime | None
    committed_at: datetime | None
    subject: str


@dataclass(frozen=True, slots=True)
class FileCount:
    """A file of a comparison; the numbers are None for binary files."""

    path: str
    added: int | None
    removed: int | None


@dataclass(frozen=True, slots=True)
class Contributor:
    name: str
    email: str
    commits: int


class PageReads:
    """Reads one repository within the seconds that `left` says are left. Raises the named GitErrors."""

    def __init__(self, git_dir: Path, left: Callable[[], float]) -> None:
        self._git_dir = git_dir
        self._left = left

    def _run(self, *args: str, stdin: bytes | None = None, max_output: int = _MAX_TEXT) -> str:
        done = runner.run(
            args, git_dir=self._git_dir, stdin=stdin, timeout=self._left(), max_output=max_output
        )  # fmt: skip
        return done.text

    def commits(self, shas: Sequence[str]) -> tuple[CommitInfo, ...]:
        """What is known of these commits, in no order; unknown ones are left out."""
        wanted = "".join(f"{Sha.parse(sha)}\n" for sha in shas).encode()
        known = self._run("cat-file", "--batch-check=%(objectname) %(objecttype)", stdin=wanted)
        present = [line.split()[0] for line in known.splitlines() if line.endswith(" commit")]
        if not present:
            return ()
        listed = "".join(f"{sha}\n" for sha in present).encode()
        return _infos(self._run("log", "--no-walk=unsorted", "--stdin", _FORMAT, stdin=listed))

    def patch(self, sha: str, *, evil: bool = False) -> str:
        """The patch against the first parent; with `evil`, what a merge changed beyond merging. Cut when too large."""
        merges = "--remerge-diff" if evil else "--diff-merges=first-parent"
        pinned = [option for option in DIFF if option != "--no-renames"]
        args = ["show", "--format=", "--root", "-p", "-M", merges, *pinned, "--end-of-options", Sha.parse(sha)]
        with runner.stream(args, git_dir=self._git_dir, timeout=self._left()) as flow:
            data = flow.read(MAX_PATCH)
        return data.decode("utf-8", "replace")

    def change(self, since: str, until: str) -> str:
        """The patch from one commit to another (`since` empty: from nothing). Cut when too large."""
        pinned = [option for option in DIFF if option != "--no-renames"]
        end = Sha.parse(until)
        start = Sha.parse(since) if since else EMPTY_TREES[len(end)]
        with runner.stream(
            ["diff", "-p", "-M", *pinned, "--end-of-options", start, end], git_dir=self._git_dir, timeout=self._left()
        ) as flow:
            data = flow.read(MAX_PATCH)
        return data.decode("utf-8", "replace")

    def log(self, since: str, until: str, skip: int, limit: int, before: int = 0) -> tuple[CommitInfo, ...]:
        """Commits of `until` that `since` lacks (all, when `since` is empty), newest first.

        `before`: only those committed until then, in seconds since 1970; 0 for all.
        """
        span = [*_until(before), *_span(since, until)]
        return _infos(self._run("log", f"--skip={int(skip)}", f"--max-count={int(limit)}", _FORMAT, *span))

    def count(self, since: str, until: str, before: int = 0) -> int:
        """How many commits `log` lists in all."""
        return int(self._run("rev-list", "--count", *_until(before), *_span(since, until)))

    def witnesses(self, since: str, until: str) -> tuple[tuple[str, str], ...]:
        """What the trailers of these commits say of who looked at them: (`Reviewed-by`, name), each as often as it
        stands there."""
        keys = ",".join(f"key={name}" for name in WITNESSES)
        form = f"--format=tformat:%(trailers:{keys},unfold,separator=%x00)"
        lines = self._run("log", f"--max-count={MAX_WITNESSED}", form, *_span(since, until)).splitlines()
        found = []
        for trailer in (part for line in lines for part in line.split("\0")):
            key, _, who = trailer.partition(":")
            name = who.partition("<")[0].strip() or who.strip()
            said = next((known for known in WITNESSES if known.casefold() == key.strip().casefold()), "")
            if said and name:
                found.append((said, name))
        return tuple(found)

    def line(self, tip: str, limit: int) -> tuple[CommitInfo, ...]:
        """The last commits of a branch itself (first parents only), newest first."""
        args = ["log", "--first-parent", f"--max-count={int(limit)}", _FORMAT, "--end-of-options", Sha.parse(tip)]
        return _infos(self._run(*args))

    def arrival(self, commit: str, tip: str) -> CommitInfo | None:
        """The commit of the branch `tip` itself by which `commit` came to be in it: a merge, or the commit itself.

        None when it is not in the branch at all.
        """
        wanted, end = Sha.parse(commit), Sha.parse(tip)
        told = runner.run(
            ["merge-base", "--is-ancestor", "--end-of-options", wanted, end],
            git_dir=self._git_dir, ok_codes=(0, 1), timeout=self._left(),
        )  # fmt: skip
        if told.code:
            return None
        span = ["--end-of-options", f"{wanted}..{end}"]
        own = self._run("rev-list", "--first-parent", "--parents", *span).splitlines()
        # The commit is on the branch itself when the oldest of its own commits since then has it as first parent.
        if not own or own[-1].split()[1:2] == [wanted]:
            return next(iter(self.commits([wanted])), None)
        holding = set(self._run("rev-list", "--ancestry-path", *span).split())
        first = next((sha for sha in (line.split()[0] for line in reversed(own)) if sha in holding), "")
        return next(iter(self.commits([first])), None) if first else None

    def counts(self, first: str, second: str) -> tuple[int, int]:
        """How many commits only the first has, and how many only the second."""
        both = f"{Sha.parse(first)}...{Sha.parse(second)}"
        left, right = self._run("rev-list", "--left-right", "--count", "--end-of-options", both).split()
        return int(left), int(right)

    def contributors(self, since: str, until: str) -> tuple[Contributor, ...]:
        """Who wrote the commits in between, most first."""
        people: dict[tuple[str, str], int] = {}
        values = self._run("log", "--format=tformat:%aN%x00%aE%x00", *_span(since, until)).split("\0")
        for name, email in zip(values[0::2], values[1::2], strict=False):
            person = (name.lstrip("\n"), email)
            people[person] = people.get(person, 0) + 1
        ranked = sorted(people.items(), key=lambda item: (-item[1], item[0]))
        return tuple(Contributor(name, email, count) for (name, email), count in ranked[:MAX_CONTRIBUTORS])

    def files(self, since: str, until: str) -> tuple[tuple[FileCount, ...], int]:
        """The files that differ, as many as a page lists, and how many there are."""
        args = ["diff", "--numstat", "-z", *DIFF, "--end-of-options", Sha.parse(since), Sha.parse(until)]
        entries = [entry for entry in self._run(*args).split("\0") if entry]
        return tuple(_file(entry) for entry in entries[:MAX_FILES]), len(entries)


def _until(before: int) -> list[str]:
    return [f"--until=@{int(before)}"] if before else []


def _span(since: str, until: str) -> list[str]:
    excluded = [f"^{Sha.parse(since)}"] if since else []
    return ["--end-of-options", Sha.parse(until), *excluded]


def _infos(text: str) -> tuple[CommitInfo, ...]:
    """Records of NUL-ended fields: no message can hold a NUL, so none can pose as another field."""
    values, width = text.split("\0"), len(_FIELDS)
    whole = (len(values) - 1) // width * width
    return tuple(_info(values[start : start + width]) for start in range(0, whole, width))


def _info(values: list[str]) -> CommitInfo:
    sha, parents, author, email, authored, committed, subject = values
    return CommitInfo(
        sha.lstrip("\n"), tuple(parents.split()), author, email, _moment(authored), _moment(committed), subject
    )


def _moment(seconds: str) -> datetime | None:
    try:
        return datetime.fromtimestamp(int(seconds), UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _file(entry: str) -> FileCount:
    added, removed, path = entry.split("\t", 2)
    return FileCount(path, int(added) if added.isdigit() else None, int(removed) if removed.isdigit() else None)
