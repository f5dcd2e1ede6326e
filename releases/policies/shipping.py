"""When production got a fix, when each target did, and how long lay between. No git, no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from .lines import Graph, chain, mark_reachable
from .versions import Tag, first_containing


@dataclass(frozen=True, slots=True)
class Shipped:
    """Since when a fix is live (Unix seconds), how that is known (`tag` or `commit`), and in which version."""

    live_since: int | None
    source: str | None
    tag: str | None = None


def shipped(
    graph: Graph, tags: Sequence[Tag], production: Iterable[int], landings: Iterable[int], landed_at: Mapping[int, int]
) -> dict[int, Shipped]:
    """For each commit that landed on production: the first final version tag of production that contains it.

    Where there is none (yet), what landed on the branch counts as live from its commit date on.
    """
    wanted = list(dict.fromkeys(landings))
    found = first_containing(graph, tags, wanted, mark_reachable(graph, production))
    result = {}
    for commit in wanted:
        tag = found.get(commit)
        if tag is not None and tag.made_at > 0:
            result[commit] = Shipped(tag.made_at, "tag", tag.name)
        elif commit in landed_at:
            result[commit] = Shipped(landed_at[commit], "commit", tag.name if tag else None)
        else:
            result[commit] = Shipped(None, None, tag.name if tag else None)
    return result


def arrivals(graph: Graph, tip: int, wanted: Iterable[int]) -> dict[int, int]:
    """For each wanted commit that the tip contains, the commit of its own line with which it first came there."""
    left = set(wanted)
    line = list(chain(graph, tip))
    seen = bytearray(len(graph))
    found: dict[int, int] = {}
    for commit in reversed(line):
        if not left:
            break
        stack = [commit]
        while stack:
            at = stack.pop()
            if seen[at]:
                continue
            seen[at] = 1
            if at in left:
                left.discard(at)
                found[at] = commit
            stack += [parent for parent in graph.parents_of(at) if not seen[parent]]
    return found


def lag(live_since: int | None, settled_at: int | None) -> int | None:
    """Seconds for which production had a fix and the target had not; 0 when the target was first."""
    if live_since is None or settled_at is None:
        return None
    return max(0, settled_at - live_since)
