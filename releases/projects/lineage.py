"""Which release came before which, and how many commits lie between: one walk over the commit graph, without I/O."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TaggedCommit:
    """A version tag as a point of the graph."""

    tag: str
    commit: str
    sort_key: str
    finished: bool
    """Not a pre-release."""


@dataclass(frozen=True, slots=True)
class Step:
    """A release's place in its own history."""

    previous: str | None
    """The tag of the release before it; None for the first."""
    commits: int
    """Commits since the previous one; all of them for the first."""


class _Graph:
    """Commits by number; a commit's number is greater than those of its parents."""

    def __init__(self, topological: Iterable[tuple[str, Sequence[str]]]) -> None:
        rows = list(topological)
        rows.reverse()
        self.number = {sha: i for i, (sha, _parents) in enumerate(rows)}
        # A parent that is not in the walk lies beyond the border of a shallow history.
        self.parents = [tuple(self.number[p] for p in parents if p in self.number) for _sha, parents in rows]

    def between(self, new: int, old: int | None) -> int:
        """How many commits `new` has that `old` has not. Costs about what lies between them."""
        queue = [-new]
        wanted = {new: True}
        if old is not None:
            wanted[old] = False
            heapq.heappush(queue, -old)
        open_ends, total = int(wanted[new]), 0
        while open_ends:
            here = -heapq.heappop(queue)
            mine = wanted.pop(here)
            open_ends -= mine
            total += mine
            for parent in self.parents[here]:
                if parent not in wanted:
                    wanted[parent] = mine
                    open_ends += mine
                    heapq.heappush(queue, -parent)
                elif wanted[parent] and not mine:
                    wanted[parent] = False
                    open_ends -= 1
        return total


def lineage(topological: Iterable[tuple[str, Sequence[str]]], tags: Sequence[TaggedCommit]) -> Mapping[str, Step]:
    """For every tag whose commit is in the walk, its `Step`.

    `topological` yields (commit, parents), children before parents. The release before is the one with the highest
    version among the ancestors; a finished release looks past pre-releases. Memory: some 200 bytes a commit.
    """
    graph = _Graph(topological)
    known = sorted((tag for tag in tags if tag.commit in graph.number), key=lambda tag: tag.sort_key)
    before = _best_before(graph, known)
    steps: dict[str, Step] = {}
    for i, tag in enumerate(known):
        old = before[i]
        base = None if old is None else graph.number[known[old].commit]
        previous = None if old is None else known[old].tag
        steps[tag.tag] = Step(previous, graph.between(graph.number[tag.commit], base))
    return steps


def _best_before(graph: _Graph, known: Sequence[TaggedCommit]) -> list[int | None]:
    """For each tag (ordered by version), the index of the highest version among its commit's strict ancestors."""
    at: dict[int, list[int]] = {}
    for i, tag in enumerate(known):
        at.setdefault(graph.number[tag.commit], []).append(i)
    best_any = [-1] * len(graph.parents)
    best_finished = [-1] * len(graph.parents)
    result: list[int | None] = [None] * len(known)
    for here, parents in enumerate(graph.parents):
        any_, finished = -1, -1
        for parent in parents:
            any_ = max(any_, best_any[parent])
            finished = max(finished, best_finished[parent])
        for i in at.get(here, ()):
            found = finished if known[i].finished else any_
            result[i] = found if found >= 0 else None
        for i in at.get(here, ()):
            any_ = max(any_, i)
            if known[i].finished:
                finished = max(finished, i)
        best_any[here], best_finished[here] = any_, finished
    return result
