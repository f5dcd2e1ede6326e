"""What lies between two commits, as far as a decision hangs on it: everybody who wrote any of it, and every file.

Unlike what pages list, nothing is left out here: an author or a path that is missing would be a wrong answer. What is
too much to read raises TooLarge.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from . import runner
from .errors import GitError, TooLarge
from .objects import DIFF
from .page_reads import EMPTY_TREES, FileCount
from .values import Sha

MAX_COMMITS = 500_000
MAX_FILES = 200_000
_FORMAT = "%an%x00%ae%x00%aN%x00%aE%x00%at%x00%(trailers:key=Co-authored-by,valueonly,unfold,separator=%x1f)"
_FIELDS = 6


@dataclass(frozen=True, slots=True)
class People:
    """Who wrote the commits of a span, under every name that git has for them."""

    commits: int
    authors: frozenset[tuple[str, str]]
    """Name and address: as written, as .mailmap has them, and of co-authors as the trailers name them."""
    oldest: int | None
    """When the first of them was written, in seconds since 1970."""
    pusher: tuple[str, str] = ("", "")
    """Who committed the last one."""


def people(git_dir: Path, since: str, until: str, *, timeout: float = runner.TIMEOUT) -> People:
    """Everybody who wrote what `until` has and `since` (empty: nothing) has not. Raises the named GitErrors."""
    wanted = Sha.parse(until)
    span = ["--end-of-options", wanted, *([f"^{Sha.parse(since)}"] if since else [])]
    found: set[tuple[str, str]] = set()
    number, oldest = 0, None
    with runner.stream(["log", f"--format=tformat:{_FORMAT}", *span], git_dir=git_dir, timeout=timeout) as flow:
        for line in flow.stdout:
            number += 1
            if number > MAX_COMMITS:
                raise TooLarge(detail=f"more than {MAX_COMMITS} commits")
            when = _read(line, found)
            oldest = when if oldest is None or (when is not None and when < oldest) else oldest
    last = runner.run(
        ["log", "-1", "--format=tformat:%cn%x00%ce", "--end-of-options", wanted], git_dir=git_dir, timeout=timeout
    ).stdout  # fmt: skip
    name, _, address = _text(last.rstrip(b"\n")).partition("\0")
    return People(number, frozenset(found), oldest, (name, address))


def _read(line: bytes, found: set[tuple[str, str]]) -> int | None:
    """Take up the people of one commit; gives when it was written."""
    fields = _text(line.rstrip(b"\n")).split("\0")
    if len(fields) != _FIELDS:
        raise GitError(detail="a commit's author could not be read")
    found.update([(fields[0], fields[1]), (fields[2], fields[3])])
    found.update(_signed(trailer) for trailer in fields[5].split("\x1f") if trailer.strip())
    return int(fields[4]) if fields[4].isdigit() else None


def _signed(text: str) -> tuple[str, str]:
    """`Name <address>`, as trailers and tags have it."""
    name, _, address = text.partition("<")
    return name.strip(), address.strip().rstrip(">").strip()


def paths(git_dir: Path, since: str, until: str, *, timeout: float = runner.TIMEOUT) -> tuple[str, ...]:
    """Every path that differs between two commits (from nothing, when `since` is empty), in order.

    Reads folders only, no file: it is quick, and works where files were left out of a clone.
    """
    args = ["diff-tree", "-r", "-z", "--name-only", "--no-renames", "--end-of-options", *_ends(since, until)]
    with runner.stream(args, git_dir=git_dir, timeout=timeout) as flow:
        found = [_text(entry) for entry in _entries(flow)]
    return tuple(found)


def files(git_dir: Path, since: str, until: str, *, timeout: float = runner.TIMEOUT) -> tuple[FileCount, ...]:
    """The same files with the lines that were added and removed in each."""
    args = ["diff", "--numstat", "-z", *DIFF, "--end-of-options", *_ends(since, until)]
    found: list[FileCount] = []
    with runner.stream(args, git_dir=git_dir, timeout=timeout) as flow:
        for entry in _entries(flow):
            added, removed, path = _text(entry).split("\t", 2)
            found.append(
                FileCount(path, int(added) if added.isdigit() else None, int(removed) if removed.isdigit() else None)
            )
    return tuple(found)


def _ends(since: str, until: str) -> tuple[str, str]:
    wanted = Sha.parse(until)
    return (Sha.parse(since) if since else EMPTY_TREES[len(wanted)], wanted)


def _entries(flow: runner.Stream) -> Iterator[bytes]:
    """What stands between the NULs of an output. Raises TooLarge."""
    rest, number = b"", 0
    while data := flow.read(1 << 16):
        *whole, rest = (rest + data).split(b"\0")
        number += len(whole)
        if number > MAX_FILES:
            raise TooLarge(detail=f"more than {MAX_FILES} files")
        yield from (entry for entry in whole if entry)
    if rest:
        yield rest


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")
