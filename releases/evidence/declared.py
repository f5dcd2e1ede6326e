"""What messages declare: trailers as a graph, followed in both directions until it meets the target. No I/O."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from .facts import Facts
from .pool import Pool
from .undone import ShaIndex
from .verdicts import Evidence

DEPTH = 4
"""How many trailers in a row are followed."""
HUB = 40
"""A message that names more commits than this is a list, not an origin."""


@dataclass(frozen=True, slots=True)
class Declaration:
    """A commit of the target that messages link to the fix."""

    sha: str
    evidence: Evidence
    steps: int


class Trailers:
    """The graph of who names whom."""

    def __init__(self, commits: Iterable[Facts], find: Callable[[str], str | None]) -> None:
        self._near: dict[str, set[str]] = defaultdict(set)
        for commit in commits:
            if len(commit.links) > HUB:
                continue
            for written in commit.links:
                named = find(written)
                if named and named != commit.sha:
                    self._near[commit.sha].add(named)
                    self._near[named].add(commit.sha)

    def reached(self, sha: str, in_target: Callable[[str], bool]) -> list[Declaration]:
        """Commits of the target that trailers lead to, nearest first; the search stops at each."""
        found: list[Declaration] = []
        seen = {sha}
        layer = [sha]
        for steps in range(1, DEPTH + 1):
            beyond: list[str] = []
            for at in layer:
                for named in sorted(self._near.get(at, ())):
                    if named in seen:
                        continue
                    seen.add(named)
                    if in_target(named):
                        found.append(Declaration(named, Evidence.TRAILER, steps))
                    else:
                        beyond.append(named)
            layer = sorted(beyond)
        return found


def change_id_links(commit: Facts, pool: Pool) -> list[Declaration]:
    """Commits of the target with the same Change-Id."""
    if not commit.change_id:
        return []
    return [Declaration(other.sha, Evidence.CHANGE_ID, 1) for other in pool.by_change_id.get(commit.change_id, ())]


def written_names(commits: Iterable[Facts], index: ShaIndex) -> list[str]:
    """The ids in trailers of these commits that the index does not know."""
    names: dict[str, None] = {}
    for commit in commits:
        if len(commit.links) <= HUB:
            names.update((written, None) for written in commit.links if index.find(written) is None)
    return list(names)


def outvoted(declared: Sequence[tuple[Facts | None, float | None]], commit: Facts, best: Facts | None) -> bool:
    """Whether author, date and subject all point to another commit than every trailer does.

    `declared` are the named commits with their similarity; `best` is the likeliest by name.
    """
    if best is None or best.author_key != commit.author_key or best.key != commit.key:
        return False
    for named, similarity in declared:
        if named is None or named.sha == best.sha or named.author_key == commit.author_key:
            return False
        if named.key == commit.key or (similarity is not None and similarity >= 0.5):
            return False
    return True
