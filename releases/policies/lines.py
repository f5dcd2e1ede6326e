"""The shape of production's own line: what was put on it, and what each merge brought. No git, no I/O.

Commits are small numbers here; `Graph` is all that is asked of a history.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol


class Graph(Protocol):
    """Commits as numbers below `len(graph)`, and their parents, first parent first."""

    def __len__(self) -> int: ...

    def parents_of(self, number: int) -> Sequence[int]: ...


@dataclass(frozen=True, slots=True)
class Landing:
    """A commit on production's own line and what it brought there that was not there before."""

    commit: int
    parent: int | None
    """The state of production before it; None for a first commit."""
    side: tuple[int, ...] = ()
    """For a merge: the commits that came with it, newest first."""
    merge: bool = False
    side_tip: int | None = None


def chain(graph: Graph, tip: int) -> Iterator[int]:
    """First parents from the tip to the root."""
    at: int | None = tip
    while at is not None:
        yield at
        parents = graph.parents_of(at)
        at = parents[0] if parents else None


def mark_chains(graph: Graph, tips: Iterable[int]) -> bytearray:
    """1 for every commit on the first-parent line of one of these tips."""
    marks = bytearray(len(graph))
    for tip in tips:
        for commit in chain(graph, tip):
            if marks[commit]:
                break
            marks[commit] = 1
    return marks


def mark_reachable(graph: Graph, tips: Iterable[int], marks: bytearray | None = None, value: int = 1) -> bytearray:
    """`value` for every commit reachable from these tips; commits that are marked already are not walked again."""
    marks = bytearray(len(graph)) if marks is None else marks
    stack = [tip for tip in tips if not marks[tip]]
    for tip in stack:
        marks[tip] = value
    while stack:
        for parent in graph.parents_of(stack.pop()):
            if not marks[parent]:
                marks[parent] = value
                stack.append(parent)
    return marks


def newly_reached(graph: Graph, tips: Iterable[int], seen: bytearray) -> list[int]:
    """The commits reachable from the tips and not seen before, nearest first; they count as seen from now on."""
    found: list[int] = []
    for tip in tips:
        if not seen[tip]:
            seen[tip] = 1
            found.append(tip)
    position = 0
    while position < len(found):
        for parent in graph.parents_of(found[position]):
            if not seen[parent]:
                seen[parent] = 1
                found.append(parent)
        position += 1
    return found


def landings(graph: Graph, line: Sequence[int], seen: bytearray) -> list[Landing]:
    """What every commit of this line (newest first) brought, oldest first.

    `seen` marks what was on production before the line began; it is updated. What is reachable from an older commit
    of the line is never brought again by a newer one.
    """
    found = []
    for commit in reversed(line):
        parents = graph.parents_of(commit)
        seen[commit] = 1
        side = newly_reached(graph, parents[1:], seen)
        tip = parents[1] if len(parents) > 1 else None
        found.append(Landing(commit, parents[0] if parents else None, tuple(side), len(parents) > 1, tip))
    return found


def without_ancestors(graph: Graph, commits: Sequence[int], bad: Iterable[int]) -> list[int]:
    """Those of the commits that are neither among `bad` nor reachable from them, walking inside `commits` only."""
    inside = set(commits)
    stack = [commit for commit in bad if commit in inside]
    dropped = set(stack)
    while stack:
        for parent in graph.parents_of(stack.pop()):
            if parent in inside and parent not in dropped:
                dropped.add(parent)
                stack.append(parent)
    return [commit for commit in commits if commit not in dropped]
