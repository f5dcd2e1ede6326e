"""Reading single commits, trees and tags by object id, many of them from one process."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from . import runner
from .errors import GitError, MissingObject, TooLarge
from .values import Sha

MAX_OBJECT = 64 << 20
"""Bytes of one object that are read."""
_CHUNK = 1 << 18
_TREES = 200
"""Trees that are remembered: the folders around a change are read for each of its sides."""


@dataclass(frozen=True, slots=True)
class CommitObject:
    """A commit as it is stored; bytes where nobody says what encoding they are in."""

    sha: str
    tree: str
    parents: tuple[str, ...]
    author: bytes
    """Name, address, date and zone: the whole line without its first word."""
    encoding: bytes
    """Of the message; empty for UTF-8."""
    message: bytes

    @property
    def text(self) -> str:
        """The message as text."""
        try:
            return self.message.decode(self.encoding.decode("ascii") or "utf-8", "replace")
        except (LookupError, UnicodeError):
            return self.message.decode("utf-8", "replace")

    @property
    def subject(self) -> str:
        """The first paragraph as one line, as git shows it."""
        return " ".join(self.text.strip().split("\n\n", 1)[0].split())


class Reader:
    """One `cat-file` that answers as long as the block lasts; it is started with the first question."""

    def __init__(self, git_dir: Path, *, env: Mapping[str, str] | None = None, timeout: float = runner.TIMEOUT) -> None:
        self._git_dir = git_dir
        self._env = env
        self._timeout = timeout
        self._stack = ExitStack()
        self._flow: runner.Stream | None = None
        self._commits: dict[str, CommitObject] = {}
        self._trees: dict[str, bytes] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._flow = None
        self._stack.close()

    def commit(self, sha: str) -> CommitObject:
        """A commit, also through a tag. Raises MissingObject when it is not here or is none."""
        if sha not in self._commits:
            found = self._ask(f"{Sha.parse(sha)}^{{commit}}")
            if found is None:
                raise MissingObject(f"The commit {sha[:12]} cannot be read.")
            self._commits[sha] = _parse_commit(found[0], found[2])
        return self._commits[sha]

    def peel(self, sha: str) -> str | None:
        """The commit that an object leads to; None when it leads to none, or is not here."""
        try:
            return self.commit(sha).sha
        except MissingObject:
            return None

    def tree(self, sha: str) -> bytes:
        """A tree's raw content. Raises MissingObject."""
        known = self._trees.get(sha)
        if known is None:
            found = self._ask(f"{Sha.parse(sha)}^{{tree}}")
            if found is None:
                raise MissingObject(f"The folder {sha[:12]} cannot be read.")
            known = found[2]
            if len(self._trees) < _TREES:
                self._trees[sha] = known
        return known

    def tag(self, sha: str) -> bytes:
        """An annotated tag's raw content. Raises MissingObject when it is not here or is none."""
        found = self._ask(Sha.parse(sha))
        if found is None or found[1] != "tag":
            raise MissingObject(f"The tag {sha[:12]} cannot be read.")
        return found[2]

    def blob(self, sha: str, limit: int = MAX_OBJECT) -> bytes | None:
        """A file's content; None when it is larger than the limit. Raises MissingObject."""
        try:
            found = self._ask(Sha.parse(sha), limit)
        except TooLarge:
            return None
        if found is None or found[1] != "blob":
            raise MissingObject(f"The file {sha[:12]} cannot be read.")
        return found[2]

    def _ask(self, name: str, limit: int = MAX_OBJECT) -> tuple[str, str, bytes] | None:
        """Id, kind and content of what the name leads to; None when there is nothing."""
        if self._flow is None:
            talk = runner.dialogue(["cat-file", "--batch"], git_dir=self._git_dir, env=self._env, timeout=self._timeout)
            self._flow = self._stack.enter_context(talk)
        self._flow.send(f"{name}\n".encode())
        header = self._flow.stdout.readline()
        if not header:
            self._flow.finish()
            raise GitError(detail="git ended early")
        words = header.decode("ascii", "replace").split()
        if len(words) != 3:
            return None
        size = int(words[2])
        if size > limit:
            self._pass_over(size + 1)
            raise TooLarge(detail=f"{size} bytes")
        data = self._flow.stdout.read(size + 1)
        if len(data) != size + 1:
            self._flow.finish()
            raise GitError(detail="git ended early")
        return words[0], words[1], data[:-1]

    def _pass_over(self, size: int) -> None:
        while size > 0 and self._flow is not None:
            size -= len(self._flow.stdout.read(min(size, _CHUNK))) or size


def _parse_commit(sha: str, body: bytes) -> CommitObject:
    head, _, message = body.partition(b"\n\n")
    tree, author, encoding = "", b"", b""
    parents: list[str] = []
    for line in head.split(b"\n"):
        key, _, value = line.partition(b" ")
        if key == b"tree":
            tree = value.decode("ascii")
        elif key == b"parent":
            parents.append(value.decode("ascii"))
        elif key == b"author":
            author = value
        elif key == b"encoding":
            encoding = value
    return CommitObject(sha, tree, tuple(parents), author, encoding, message)
