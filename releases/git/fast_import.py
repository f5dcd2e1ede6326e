"""Writing history in bulk: one `git fast-import` takes commits, branches and tags as a stream.

Hundreds of commits cost tens of milliseconds this way, where `git commit` takes one process each.
Used for building repositories from scratch (the demo, the benches); never on a mirror.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO

from .environment import environment
from .runner import executable

_TIMEOUT = 60


class FastImportError(Exception):
    """git did not take the stream; the message holds what it said."""


@dataclass(frozen=True, slots=True)
class Signature:
    """Who and when; `at` in Unix seconds, written as UTC."""

    name: str
    email: str
    at: int

    def __str__(self) -> str:
        return f"{self.name} <{self.email}> {self.at} +0000"


class FastImport:
    """A new bare repository being written; use as a context manager, then it is complete and packed.

    Object ids are known at once (`commit` returns them), so that later messages can name earlier commits.
    """

    def __init__(self, path: Path, *, head: str = "main") -> None:
        """Make an empty bare repository at `path` whose HEAD names the branch `head`."""
        self.path = path
        self._written = 0
        self._marks: dict[str, int] = {}
        self._run("init", "--quiet", "--bare", f"--initial-branch={head}", "--", str(path))
        self._process = subprocess.Popen(
            [executable(), "-C", str(path), "fast-import", "--quiet", "--done", "--force"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(),
        )

    def __enter__(self) -> FastImport:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if kind is not None:
            self._process.kill()
            self._process.communicate()
            return
        try:
            _, said = self._process.communicate(b"done\n", timeout=_TIMEOUT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()
            raise FastImportError("git fast-import did not finish in time") from None
        if self._process.returncode:
            raise FastImportError(said.decode(errors="replace").strip())

    def commit(
        self,
        *,
        author: Signature,
        committer: Signature,
        message: str,
        parents: Sequence[str],
        changes: Mapping[str, bytes | None],
    ) -> str:
        """Write a commit and return its object id.

        `changes` is against the first parent: path to new content, or None when the path goes away.
        """
        mark = self._written + 1
        self._written = mark
        # Each commit is written on a scratch ref; branches are named when they are placed.
        lines = [b"commit refs/import/scratch\nmark :%d\n" % mark]
        lines.append(f"author {author}\ncommitter {committer}\n".encode())
        lines.append(_data(message.encode()))
        if parents:
            lines.append(b"from :%d\n" % self._marks[parents[0]])
            lines.extend(b"merge :%d\n" % self._marks[parent] for parent in parents[1:])
        for path, content in changes.items():
            if content is None:
                lines.append(b"D %s\n" % _path(path))
            else:
                lines.append(b"M 100644 inline %s\n" % _path(path))
                lines.append(_data(content))
        if not parents:
            # Without a parent the scratch ref would lend its own tip.
            lines.insert(0, b"reset refs/import/scratch\n")
        lines.append(b"\nget-mark :%d\n" % mark)
        self._write(b"".join(lines))
        sha = self._read_id()
        # A twin (same content, same second) has the same id; the first mark serves both.
        self._marks.setdefault(sha, mark)
        return sha

    def branch(self, name: str, commit: str) -> None:
        """Let the branch `name` point at `commit`."""
        self._write(b"reset refs/heads/%s\nfrom :%d\n\n" % (name.encode(), self._marks[commit]))

    def tag(self, name: str, commit: str, *, message: str, tagger: Signature) -> None:
        """Write an annotated tag."""
        head = f"tag {name}\nfrom :{self._marks[commit]}\ntagger {tagger}\n".encode()
        self._write(head + _data(message.encode()))

    def finish_refs(self) -> None:
        """Remove the scratch ref; call last."""
        self._write(b"reset refs/import/scratch\nfrom 0000000000000000000000000000000000000000\n\n")

    @property
    def ended(self) -> bool:
        """Whether git has finished, well or not."""
        return self._process.poll() is not None

    def _write(self, block: bytes) -> None:
        try:
            _pipe(self._process.stdin).write(block)
        except BrokenPipeError:
            raise FastImportError(self._said()) from None

    def _read_id(self) -> str:
        try:
            _pipe(self._process.stdin).flush()
        except BrokenPipeError:
            raise FastImportError(self._said()) from None
        line = _pipe(self._process.stdout).readline().decode().strip()
        if not line:
            raise FastImportError(self._said())
        return line

    def _said(self) -> str:
        self._process.kill()
        _, said = self._process.communicate()
        return said.decode(errors="replace").strip() or "git fast-import ended early"

    def _run(self, *args: str) -> None:
        done = subprocess.run([executable(), *args], env=environment(), capture_output=True, timeout=_TIMEOUT)
        if done.returncode:
            raise FastImportError(done.stderr.decode(errors="replace").strip())


def shallow_write(path: Path, boundary: Sequence[str]) -> None:
    """Cut a bare repository's history: the commits in `boundary` have no parents any more, as in a shallow clone."""
    (path / "shallow").write_text("".join(f"{sha}\n" for sha in sorted(boundary)))


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    assert stream is not None  # noqa: S101 - opened with PIPE above
    return stream


def _data(content: bytes) -> bytes:
    return b"data %d\n%s\n" % (len(content), content)


def _path(path: str) -> bytes:
    if path.startswith("/") or '"' in path or "\n" in path or ".." in path.split("/"):
        raise ValueError(f"not a path inside a repository: {path!r}")
    return path.encode()
