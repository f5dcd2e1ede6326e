"""Reads facts and patches from git, in two pipelines side by side."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from releases.git import objects

from .content import UNREADABLE, Content, read_content
from .facts import PATCH_LIMIT, Facts, Names, read_facts

LANES = 2
"""Git processes that read at the same time."""
_WORTH_TWO = 24
"""Shorter lists are read by one process."""


def _in_lanes(shas: Sequence[str], work: Callable[[Sequence[str]], None]) -> None:
    """Run `work` over the parts of a list side by side; the first error is raised when all have ended."""
    if len(shas) < _WORTH_TWO:
        if shas:
            work(shas)
        return
    failed: list[BaseException] = []

    def lane(part: Sequence[str]) -> None:
        try:
            work(part)
        except BaseException as error:  # raised again below, in the thread that waits
            failed.append(error)

    # Neighbours share trees and delta bases, so each lane gets blocks of them; small blocks even out the load.
    block = max(1, min(64, len(shas) // (LANES * 2)))
    parts: list[list[str]] = [[] for _ in range(LANES)]
    for number, start in enumerate(range(0, len(shas), block)):
        parts[number % LANES] += shas[start : start + block]
    threads = [threading.Thread(target=lane, args=(part,), daemon=True) for part in parts if part]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]


class Reader:
    """Facts and contents of one repository, as they are asked for; keeps what it read."""

    def __init__(self, git_dir: Path) -> None:
        self.git_dir = git_dir
        self.unreadable: set[str] = set()
        """Commits of which something could not be read."""
        self._names = Names()

    def facts(self, shas: Sequence[str], *, bodies: frozenset[str] | set[str] | None = None) -> dict[str, Facts]:
        """Facts of these commits; `bodies` names those whose whole message is kept (None: all)."""
        found: dict[str, Facts] = {}

        def read(part: Sequence[str]) -> None:
            for fields, raw in objects.records(self.git_dir, part, self.unreadable.add):
                sha = fields[0].decode("ascii")
                found[sha] = read_facts(fields, raw, self._names, body=bodies is None or sha in bodies)

        _in_lanes(shas, read)
        return found

    def contents(self, shas: Iterable[str]) -> dict[str, Content]:
        """Fingerprints of the patches of these commits; what cannot be read comes back as not readable."""
        listed = list(dict.fromkeys(shas))
        found: dict[str, Content] = {}

        def read(part: Sequence[str]) -> None:
            for sha, patch, cut in objects.patches(self.git_dir, part, self.unreadable.add, PATCH_LIMIT):
                found[sha] = read_content(patch, cut=cut)

        _in_lanes(listed, read)
        for sha in listed:
            found.setdefault(sha, UNREADABLE)
        return found

    def merge_contents(self, shas: Sequence[str]) -> dict[str, Content]:
        """What merges changed of their own (against what git would have merged); only those with such changes."""
        touched = objects.touched_merges(self.git_dir, shas, self.unreadable.add)
        suspects = [sha for sha in shas if sha in touched]
        found: dict[str, Content] = {}
        for sha, patch, cut in objects.merge_patches(self.git_dir, suspects, self.unreadable.add, PATCH_LIMIT):
            if patch.strip():
                found[sha] = read_content(patch, cut=cut)
        return found
