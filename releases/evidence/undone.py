"""What was undone by what, and whether that still stands. No I/O."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Mapping, Sequence

from .facts import Facts


class Undoings:
    """Undoing commits by what they undo; an undoing that was undone itself counts no more."""

    def __init__(self) -> None:
        self._by: dict[str, dict[str, int]] = defaultdict(dict)

    def note(self, undone: str, by: str, at: int) -> None:
        """`at` is when that was committed (Unix seconds)."""
        if undone != by:
            self._by[undone][by] = at

    def standing(self, sha: str, side: Container[str] | None = None) -> str:
        """The commit (of this side, the latest) that undid this one and was not undone in turn; empty if it stands."""
        for by in self.by(sha):
            if (side is None or by in side) and not self._undone(by, frozenset([sha])):
                return by
        return ""

    def _undone(self, sha: str, seen: frozenset[str]) -> bool:
        return sha not in seen and any(not self._undone(by, seen | {sha}) for by in self._by.get(sha, ()))

    def __contains__(self, sha: str) -> bool:
        return bool(self._by.get(sha))

    def pairs(self) -> list[tuple[str, str, int]]:
        """Everything noted, as (undone, by, when)."""
        return [(sha, by, at) for sha, several in self._by.items() for by, at in several.items()]

    def by(self, sha: str) -> list[str]:
        """What undid this commit, the latest first, whether it stands or not."""
        several = self._by.get(sha, {})
        return sorted(several, key=lambda by: (several[by], by), reverse=True)


class ShaIndex:
    """Finds full object ids by what messages write, often a beginning only."""

    def __init__(self, shas: Iterable[str]) -> None:
        self._known = frozenset(shas)
        self._by_start: dict[str, str | None] | None = None

    def find(self, written: str) -> str | None:
        """The one commit that begins so; None when there is none or more than one."""
        if written in self._known:
            return written
        if self._by_start is None:
            self._by_start = {}
            for sha in self._known:
                self._by_start[sha[:7]] = None if sha[:7] in self._by_start else sha
        found = self._by_start.get(written[:7])
        if found is not None:
            return found if found.startswith(written) else None
        if written[:7] in self._by_start:
            several = [sha for sha in self._known if sha.startswith(written)]
            return several[0] if len(several) == 1 else None
        return None


def said_undoings(
    commits: Iterable[Facts], index: ShaIndex, brought_by: Callable[[str], Sequence[str]]
) -> list[tuple[str, Facts]]:
    """(undone, by) pairs that messages declare. Undoing a merge undoes what it brought."""
    pairs = []
    for commit in commits:
        for written in commit.reverts:
            sha = index.find(written)
            if sha is None:
                continue
            pairs.append((sha, commit))
            pairs += [(side, commit) for side in brought_by(sha)]
    return pairs


def titled_undoings(commits: Sequence[Facts]) -> list[tuple[str, Facts]]:
    """(undone, by) pairs among these commits where a subject quotes the other's: Revert "that"."""
    by_title: Mapping[str, list[Facts]] = _by_subject(commits)
    pairs = []
    for commit in commits:
        for other in by_title.get(quoted_title(commit), ()):
            if other.committed_at <= commit.committed_at and set(other.paths) & set(commit.paths):
                pairs.append((other.sha, commit))
    return pairs


def quoted_title(commit: Facts) -> str:
    """The normalised subject of what this commit undoes, when its own subject quotes it; else empty."""
    again = commit.key.startswith("reapply ")
    if not (again or commit.key.startswith("revert")) or (commit.reverts and not again):
        return ""
    quoted = commit.key.partition(" ")[2].strip(_QUOTES)
    return f'revert "{quoted}"' if again and quoted else quoted


_QUOTES = ' :"“”'


def _by_subject(commits: Sequence[Facts]) -> dict[str, list[Facts]]:
    found: dict[str, list[Facts]] = defaultdict(list)
    for commit in commits:
        found[commit.key].append(commit)
    return found
