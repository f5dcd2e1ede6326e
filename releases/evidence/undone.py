"""What was undone by what, and whether that still stands. No I/O."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

from .facts import Facts


class Undoings:
    """Undoing commits by what they undo; an undoing that was undone itself counts no more."""

    def __init__(self) -> None:
        self._by: dict[str, list[str]] = defaultdict(list)

    def note(self, undone: str, by: str) -> None:
        if undone != by and by not in self._by[undone]:
            self._by[undone].append(by)

    def standing(self, sha: str) -> str:
        """The commit that undid this one and was not undone in turn; empty when this one stands."""
        return self._standing(sha, frozenset())

    def _standing(self, sha: str, seen: frozenset[str]) -> str:
        if sha in seen:
            return ""
        for by in reversed(self._by.get(sha, ())):
            if not self._standing(by, seen | {sha}):
                return by
        return ""

    def __contains__(self, sha: str) -> bool:
        return bool(self._by.get(sha))

    def pairs(self) -> list[tuple[str, str]]:
        """Everything noted, as (undone, by)."""
        return [(sha, by) for sha, several in self._by.items() for by in several]

    def by(self, sha: str) -> list[str]:
        return list(self._by.get(sha, ()))


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
) -> list[tuple[str, str]]:
    """(undone, by) pairs that messages declare. Undoing a merge undoes what it brought."""
    pairs = []
    for commit in commits:
        for written in commit.reverts:
            sha = index.find(written)
            if sha is None:
                continue
            pairs.append((sha, commit.sha))
            pairs += [(side, commit.sha) for side in brought_by(sha)]
    return pairs


def titled_undoings(commits: Sequence[Facts]) -> list[tuple[str, str]]:
    """(undone, by) pairs among these commits where a subject quotes the other's: Revert "that"."""
    by_title: Mapping[str, list[Facts]] = _by_subject(commits)
    pairs = []
    for commit in commits:
        again = commit.key.startswith("reapply ")
        if not (again or commit.key.startswith("revert")) or (commit.reverts and not again):
            continue
        quoted = commit.key.partition(" ")[2].strip(_QUOTES)
        for other in by_title.get(f'revert "{quoted}"' if again else quoted, ()):
            if other.committed_at <= commit.committed_at and set(other.paths) & set(commit.paths):
                pairs.append((other.sha, commit.sha))
    return pairs


_QUOTES = ' :"“”'


def _by_subject(commits: Sequence[Facts]) -> dict[str, list[Facts]]:
    found: dict[str, list[Facts]] = defaultdict(list)
    for commit in commits:
        found[commit.key].append(commit)
    return found
