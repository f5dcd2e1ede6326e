"""Version tags: which are releases, in which order, and which one first contains a commit. No git, no I/O."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .lines import Graph

_NUMBERS = re.compile(r"\d+(?:[._-]\d+)*")
_PRE = re.compile(
    r"(?:[-._+]|(?<=\d))(?:a|b|c|rc|alpha|beta|dev|pre|preview|m|milestone|snapshot|nightly|canary|next|test)[-._]?\d*$|"
    r"[-.](?:rc|alpha|beta|dev|pre|next|canary|nightly)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Tag:
    """A version tag: its name, the commit it leads to (as a number of the graph) and when it was made."""

    name: str
    commit: int
    made_at: int
    """Unix seconds: the tagger's date, else the commit's."""

    @property
    def version(self) -> tuple[int, ...]:
        return version_key(self.name)

    @property
    def pre_release(self) -> bool:
        return is_pre_release(self.name)


def version_key(name: str) -> tuple[int, ...]:
    """Numbers that order tags of one project: `v1.10.0` after `v1.9.3`; empty when there are none."""
    found = _NUMBERS.search(name)
    return tuple(int(part) for part in re.split(r"[._-]", found[0])) if found else ()


def is_pre_release(name: str) -> bool:
    """Is this a candidate or test version, which never is production?"""
    return bool(_PRE.search(name))


def is_patch(name: str) -> bool:
    """Does the name carry a version x.y.z with z above 0?"""
    version = version_key(name)
    return len(version) >= 3 and version[2] > 0


def version_tags(tags: Iterable[Tag], pattern: str) -> list[Tag]:
    """Tags that are final versions by this regular expression, the earliest first."""
    expression = re.compile(pattern)
    kept = [tag for tag in tags if expression.search(tag.name) and not tag.pre_release]
    return sorted(kept, key=lambda tag: (tag.made_at, tag.version, tag.name))


def first_containing(
    graph: Graph, tags: Sequence[Tag], wanted: Iterable[int], on_production: bytearray
) -> dict[int, Tag]:
    """For each wanted commit the first of these tags (in their order) that contains it.

    Tags off production are passed over. One walk over the history serves all tags: what an earlier tag reached is
    never walked again. The walk ends when every wanted commit is found.
    """
    left = set(wanted)
    found: dict[int, Tag] = {}
    seen = bytearray(len(graph))
    for tag in tags:
        if not left:
            break
        if not on_production[tag.commit] or seen[tag.commit]:
            continue
        stack = [tag.commit]
        seen[tag.commit] = 1
        while stack:
            commit = stack.pop()
            if commit in left:
                left.discard(commit)
                found[commit] = tag
            for parent in graph.parents_of(commit):
                if not seen[parent]:
                    seen[parent] = 1
                    stack.append(parent)
    return found
