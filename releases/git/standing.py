"""Long-lived git processes of one repository, each answering list after list: starting one costs more than most lists.

`diff-tree --stdin` says a line that is no object id again, at once: such a line marks where an answer ends.
`cat-file --batch-command` answers what it was asked when it is told to.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from . import runner
from .errors import GitError

LONG = 6 * 3600.0
"""Seconds that such a process may live."""
MOST = 800
"""Object ids in one list: they fit into a pipe, so that neither side ever waits for the other."""
_ROOM = {"MALLOC_TOP_PAD_": str(4 << 20)}
"""Lets glibc keep memory that the next file needs again: giving it back each time is half of a diff's page faults."""
_LOOK_UP = ("cat-file", "--batch-command=%(objectname) %(objecttype) %(objectsize)", "--buffer")


class Known(NamedTuple):
    """What an object is."""

    sha: str
    kind: str
    size: int


class Answer:
    """What git says to one list, up to its end."""

    def __init__(self, flow: runner.Stream, mark: bytes) -> None:
        self._flow = flow
        self._mark = mark
        self._tail = b""
        self.ended = False

    def read(self, size: int) -> bytes:
        """The next bytes; none at the end. Raises the named GitError when git died of something in the list."""
        while not self.ended:
            data = self._flow.read1(size)
            if not data:
                self._flow.finish()
                raise GitError(detail="git ended early")
            data = self._tail + data
            self.ended = data.endswith(self._mark)
            spare = max(0, len(data) - len(self._mark))
            said, self._tail = data[:spare], data[spare:]
            if said:
                return said
        return b""


class Gits:
    """Started with the first question of their kind, ended with the block; several threads may ask at a time."""

    def __init__(self, git_dir: Path) -> None:
        self.git_dir = git_dir
        self._idle: dict[tuple[str, ...], list[tuple[ExitStack, runner.Stream]]] = {}
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End them all; those that somebody is reading from end when that is done."""
        self._closed = True
        for idle in self._idle.values():
            while idle:
                idle.pop()[0].close()

    @contextmanager
    def _at_work(self, arguments: Sequence[str]) -> Iterator[runner.Stream]:
        """A process for this block alone; after an error it is not used again."""
        idle = self._idle.setdefault(tuple(arguments), [])
        with ExitStack() as stack:
            try:
                own, flow = idle.pop()
            except IndexError:
                own = ExitStack()
                flow = own.enter_context(runner.dialogue(arguments, git_dir=self.git_dir, timeout=LONG, env=_ROOM))
            stack.callback(own.close)
            yield flow
            stack.pop_all()
        idle.append((own, flow))
        if self._closed:
            self.close()

    @contextmanager
    def listed(self, arguments: Sequence[str], shas: Sequence[str]) -> Iterator[Answer]:
        """Ask a `diff-tree --stdin` about at most MOST commits; the answer must be read to its end."""
        with self._at_work(arguments) as flow:
            mark = f"end-{secrets.token_hex(12)}\n"
            flow.send("".join([*(f"{sha}\n" for sha in shas), mark]).encode())
            answer = Answer(flow, mark.encode())
            yield answer
            while answer.read(1 << 16):
                pass

    def look_up(self, names: Sequence[str]) -> list[Known | None]:
        """What these names (without line breaks) stand for, in their order; None for nothing, or nothing certain.

        In a partial clone git stops at the first object that it does not have: what follows is left out.
        """
        return [known for known, _data in self._asked("info", names)]

    def contents(self, names: Sequence[str]) -> Iterator[bytes | None]:
        """What these objects hold, one after the other; None for what cannot be read. As many as `look_up` gives."""
        for _known, data in self._asked("contents", names):
            yield data

    def _asked(self, word: str, names: Sequence[str]) -> Iterator[tuple[Known | None, bytes | None]]:
        if not names:
            return
        try:
            with self._at_work(_LOOK_UP) as flow:
                flow.send("".join([*(f"{word} {name}\n" for name in names), "flush\n"]).encode())
                for _name in names:
                    known = _known(flow)
                    data = flow.stdout.read(known.size + 1)[:-1] if known and word == "contents" else None
                    yield known, data
        except GitError:
            return


def _known(flow: runner.Stream) -> Known | None:
    line = flow.stdout.readline()
    if not line:
        flow.finish()
        raise GitError(detail="git ended early")
    words = line.split(b" ")
    whole = len(words) == 3 and words[2][:-1].isdigit()
    return Known(words[0].decode(), words[1].decode(), int(words[2])) if whole else None


@contextmanager
def standing(where: Path | Gits) -> Iterator[Gits]:
    """The processes at hand, or some for this block alone."""
    if isinstance(where, Gits):
        yield where
    else:
        with Gits(where) as own:
            yield own
