"""Reads facts and patches from git, in two pipelines side by side."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from releases.git import objects
from releases.git.standing import Gits

from .content import UNREADABLE, Content, read_content
from .facts import PATCH_LIMIT, Facts, Names, read_facts

LANES = 2
"""Git processes that read at the same time."""
_WORTH_TWO = 24
"""Shorter lists are read by one process."""
_START, _BLOCK, _SHARES = 48, 1024, 6
"""Commits that one process reads: so many that its start pays, at most so many, about one in so many of its lane's."""
_PART, _PARTS = 256, 4
"""Commits that are read ahead by one process: at least so many, in at most so many parts."""


def _in_lanes(shas: Sequence[str], work: Callable[[Sequence[str]], None]) -> None:
    """Run `work` over the parts of a list side by side; the first error is raised when all have ended."""
    if len(shas) < _WORTH_TWO:
        if shas:
            work(shas)
        return
    # Neighbours share trees and delta bases, so each lane takes blocks of them, whenever it is done with the last one:
    # a few giants make any share-out beforehand uneven.
    size = min(_BLOCK, max(_START, -(-len(shas) // (LANES * _SHARES))), -(-len(shas) // LANES))
    waiting = deque(shas[start : start + size] for start in range(0, len(shas), size))
    failed: list[BaseException] = []

    def lane() -> None:
        while not failed:
            try:
                part = waiting.popleft()
            except IndexError:
                return
            try:
                work(part)
            except BaseException as error:  # raised again below, in the thread that waits
                failed.append(error)

    threads = [threading.Thread(target=lane, daemon=True) for _ in range(min(LANES, len(waiting)))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]


@dataclass(slots=True, eq=False)
class _Part:
    """Commits whose facts are read beside other work."""

    shas: Sequence[str]
    bodies: bool
    read: threading.Event = field(default_factory=threading.Event)
    found: dict[str, Facts] = field(default_factory=dict)
    failed: BaseException | None = None


class Ahead:
    """Reads facts in the order in which they were asked for, beside other work."""

    def __init__(self, read: Callable[[Sequence[str], bool], dict[str, Facts]]) -> None:
        self._read = read
        self._waiting: deque[_Part] = deque()
        self._part_of: dict[str, _Part] = {}
        self._lanes: list[threading.Thread] = []

    def __len__(self) -> int:
        return len(self._part_of)

    def begin(self, shas: Iterable[str], *, bodies: bool) -> None:
        """Read these as well, those that are under way left out."""
        new = [sha for sha in dict.fromkeys(shas) if sha not in self._part_of]
        size = max(_PART, -(-len(new) // _PARTS))
        for start in range(0, len(new), size):
            part = _Part(new[start : start + size], bodies)
            self._part_of.update(dict.fromkeys(part.shas, part))
            self._waiting.append(part)
        self._lanes = [lane for lane in self._lanes if lane.is_alive()]
        for _ in range(min(len(self._waiting), LANES - len(self._lanes))):
            lane = threading.Thread(target=self._work, daemon=True)
            self._lanes.append(lane)
            lane.start()

    def _work(self) -> None:
        while True:
            try:
                part = self._waiting.popleft()
            except IndexError:
                return
            try:
                part.found = self._read(part.shas, part.bodies)
            except BaseException as error:  # raised again in the thread that asks
                part.failed = error
            part.read.set()

    def stop(self) -> None:
        """Begin nothing more."""
        self._waiting.clear()

    def take(self, wanted: Iterable[str]) -> dict[str, Facts]:
        """What was read in the parts that hold any of these, once those are complete; handed out once."""
        found: dict[str, Facts] = {}
        for part in dict.fromkeys(part for sha in wanted if (part := self._part_of.get(sha)) is not None):
            part.read.wait()
            for sha in part.shas:
                del self._part_of[sha]
            if part.failed is not None:
                raise part.failed
            found.update(part.found)
        return found


class Reader:
    """Facts and contents of one repository, as they are asked for; keeps what it read."""

    def __init__(self, git_dir: Path) -> None:
        self.gits = Gits(git_dir)
        self.unreadable: set[str] = set()
        """Commits of which something could not be read."""
        self._names = Names()
        self.ahead = Ahead(self._facts)
        """Facts that are read beside other work."""

    def close(self) -> None:
        """End the git processes."""
        self.ahead.stop()
        self.gits.close()

    def facts(self, shas: Sequence[str], *, bodies: bool = True) -> dict[str, Facts]:
        """Facts of these commits, with the whole message or not."""
        found: dict[str, Facts] = {}
        _in_lanes(shas, lambda part: found.update(self._facts(part, bodies)))
        return found

    def _facts(self, shas: Sequence[str], bodies: bool) -> dict[str, Facts]:
        read = (read_facts(fields, raw, self._names, body=bodies)
                for fields, raw in objects.records(self.gits, shas, self.unreadable.add))  # fmt: skip
        return {facts.sha: facts for facts in read}

    def contents(self, shas: Iterable[str], only: Sequence[str] = ()) -> dict[str, Content]:
        """Fingerprints of the patches of these commits; what cannot be read comes back as not readable.

        With `only`, of their changes to these paths.
        """
        listed = list(dict.fromkeys(shas))
        found: dict[str, Content] = {}

        def read(part: Sequence[str]) -> None:
            for sha, patch, cut in objects.patches(self.gits, part, self.unreadable.add, PATCH_LIMIT, only):
                found[sha] = read_content(patch, cut=cut)

        _in_lanes(listed, read)
        for sha in listed:
            found.setdefault(sha, UNREADABLE)
        return found

    def merge_contents(self, shas: Sequence[str]) -> dict[str, Content]:
        """What merges changed of their own (against what git would have merged); only those with such changes."""
        touched = objects.touched_merges(self.gits, shas, self.unreadable.add)
        suspects = [sha for sha in shas if sha in touched]
        found: dict[str, Content] = {}
        for sha, patch, cut in objects.merge_patches(self.gits.git_dir, suspects, self.unreadable.add, PATCH_LIMIT):
            if patch.strip():
                found[sha] = read_content(patch, cut=cut)
        return found
