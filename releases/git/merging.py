"""What `git merge-tree` says about merges made in memory."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from . import runner
from .errors import GitError

MERGE_TREE = ("merge-tree", "--write-tree", "--allow-unrelated-histories", "--stdin")
"""Pairs of commits come in, one a line; a record for each goes out."""
_READ = 1 << 16
_UNREAD = re.compile(
    r"^(?:error|fatal): .*(?:could not|unable to|cannot) (?:read|parse|open).*$", re.IGNORECASE | re.MULTILINE
)


@dataclass(frozen=True, slots=True)
class RawConflict:
    """A path that needs a person, as git has it, and why: `contents`, `modify/delete`, `binary` and so on."""

    path: bytes
    kind: str

    @property
    def shown(self) -> str:
        return self.path.decode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class Outcome:
    """One merge: its tree (with conflict markers where it is not clean) and what is in the way."""

    tree: str
    conflicts: tuple[RawConflict, ...] = ()
    clean: bool = True


def merges(
    git_dir: Path, pairs: Sequence[tuple[str, str]], *, timeout: float, env: Mapping[str, str] | None = None
) -> tuple[list[Outcome], str]:
    """Merge each pair of commits; gives the outcomes, and what git said when it could not go on.

    Fewer outcomes than pairs mean that git ended at the next one, or had no more time. A tree that git cannot read
    counts as empty for it, with no more than a line on the side: look at `unread` before believing anything.
    """
    spec = "".join(f"{ours} {theirs}\n" for ours, theirs in pairs).encode()
    found: list[Outcome] = []
    try:
        with runner.stream(MERGE_TREE, git_dir=git_dir, stdin=spec, timeout=timeout, env=env) as out:
            found.extend(_parse(out.stdout))
            out.finish()
            said = out.stderr()
    except GitError as error:
        said = error.detail or error.sentence
    return found, said


def unread(said: str) -> str:
    """The line in which git says that it could not read an object; empty when there is none."""
    lines = _UNREAD.findall(said)
    return lines[0] if lines else ""


def _fields(stream: BinaryIO) -> Iterator[bytes]:
    """The fields between NUL bytes; an unfinished last field is dropped."""
    rest = b""
    while chunk := stream.read(_READ):
        *whole, rest = (rest + chunk).split(b"\0")
        yield from whole


def _parse(stream: BinaryIO) -> Iterator[Outcome]:
    """Read what `merge-tree --stdin` writes; ends without complaint when the output does."""
    fields = _fields(stream)
    try:
        while True:
            status, tree = next(fields), next(fields).decode()
            staged = list(iter(lambda: next(fields), b""))
            if status == b"1":
                yield Outcome(tree)
                continue
            conflicts = _messages(fields)
            named = {conflict.path for conflict in conflicts}
            paths = dict.fromkeys(entry.partition(b"\t")[2] for entry in staged)
            conflicts += [RawConflict(path, "contents") for path in paths if path not in named]
            yield Outcome(tree, tuple(conflicts), False)
    except (StopIteration, RuntimeError):
        return


def _messages(fields: Iterator[bytes]) -> list[RawConflict]:
    """The conflicts among git's messages about one merge."""
    conflicts: list[RawConflict] = []
    # After submodules in conflict git ends the list with advice in prose, not with an empty field.
    while (count := next(fields)).isdigit():
        paths = [next(fields) for _ in range(int(count))]
        kind, _sentence = next(fields).decode("utf-8", "replace"), next(fields)
        if kind.startswith("CONFLICT (") and paths:
            conflicts.append(RawConflict(paths[0], kind[len("CONFLICT (") :].rstrip(")")))
    return list(dict.fromkeys(conflicts))
