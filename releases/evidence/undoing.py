"""Finds what was undone in production and in the target: by what messages say, by quoted subjects, by content."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from .facts import Facts
from .history import History
from .patches import Patches
from .rules import Match, Observed
from .undone import ShaIndex, Undoings, said_undoings, titled_undoings


@dataclass(frozen=True, slots=True)
class Earlier:
    """What an earlier run noted, and which commits stand where now."""

    pairs: Sequence[tuple[str, str, int]]
    """(undone, by, when)."""
    production: Collection[str]
    target: Collection[str]


class Undoing:
    """Reverts of one run of judgement. `candidates` are of production, `pool` of the target."""

    def __init__(
        self,
        history: History,
        patches: Patches,
        candidates: Sequence[Facts],
        pool: Sequence[Facts],
        earlier: Earlier | None = None,
    ) -> None:
        """With `earlier`, `candidates` and `pool` are only what may have to do with each other since."""
        self.history = history
        self.patches = patches
        self.candidates = list(candidates)
        self.pool = list(pool)
        self.undoings = Undoings()
        self.earlier = earlier or Earlier((), {c.sha for c in candidates}, {c.sha for c in pool})
        for pair in self.earlier.pairs:
            self.undoings.note(*pair)
        self._held: list[Facts] = []
        """Commits in question that the target has."""
        self._own: list[tuple[Facts, Facts]] = []
        """Pairs of production of which only the patches tell whether one undoes the other."""

    def begin(self, observed: Mapping[str, Observed]) -> None:
        """Note all that can be told without counterparts."""
        self._held = [facts for sha, seen in observed.items() if seen.in_target and (facts := self.history.known(sha))]
        self._said(observed, self._held)
        self._quoted(self._held)
        self._own = self._inverse(self.candidates, self.candidates)

    def look(self, observed: Mapping[str, Observed]) -> None:
        """Note which counterparts, and which of the commits in question, were undone and by what."""
        self._by_content(observed)
        ours, theirs = self.earlier.production, self.earlier.target
        for seen in observed.values():
            names = [match.sha for match in matches_of(seen)] + ([seen.sha] if seen.in_target else [])
            for sha in names:
                if by := self.undoings.standing(sha, theirs):
                    seen.reverted[sha] = by
            if not seen.in_target:
                seen.undone_by = self.undoings.standing(seen.sha, ours)
                if not seen.undone_by and (by := self.undoings.standing(seen.sha, theirs)):
                    seen.reverted.update((match.sha, by) for match in matches_of(seen))
        self._reverts_of_nothing(observed)

    def _said(self, observed: Mapping[str, Observed], held: Sequence[Facts]) -> None:
        everything = list({facts.sha: facts for facts in (*self.candidates, *self.pool, *held)}.values())
        known = [*(facts.sha for facts in everything), *self.earlier.production, *self.earlier.target]
        index = ShaIndex([*known, *observed, *self.history.region_merges()])
        for undone, by in said_undoings(everything, index, self._brought_by):
            self.undoings.note(undone, by.sha, by.committed_at)

    def _brought_by(self, sha: str) -> Sequence[str]:
        """The commits that a merge brought to its first parent."""
        parents = self.history.parents(sha)
        return self.history.walk(parents[1:], parents[:1]) if len(parents) > 1 else ()

    def _quoted(self, held: Sequence[Facts]) -> None:
        for side in (self.candidates, [*held, *self.pool]):
            for undone, by in titled_undoings(side):
                self.undoings.note(undone, by.sha, by.committed_at)

    def _by_content(self, observed: Mapping[str, Observed]) -> None:
        known = {facts.sha: facts for facts in self.pool}
        there = [
            known[match.sha]
            for seen in observed.values()
            for match in (*seen.same_patch, *seen.same_lines, *seen.likely[:1], *seen.declared[:1])
            if match.sha in known
        ]
        for one, other in [*self._own, *self._inverse([*there, *self._held], self.pool)]:
            ours, theirs = self.patches.of(one.sha), self.patches.of(other.sha)
            if ours.readable and theirs.readable and ours.inverse_id == theirs.lines_id:
                self.undoings.note(one.sha, other.sha, other.committed_at)

    def _inverse(self, commits: Iterable[Facts], side: Sequence[Facts]) -> list[tuple[Facts, Facts]]:
        """Note commits of `side` that are the exact opposite of one of `commits`, made later.

        The pairs of which only the patches tell are given back, and begun to be read.
        """
        unique = {facts.sha: facts for facts in commits if facts.header}
        wanted = {facts.sha: facts.inverse_header for facts in unique.values()}
        headers = set(wanted.values())
        by_header: dict[bytes, list[Facts]] = defaultdict(list)
        for other in side:
            if other.header in headers:
                by_header[other.header].append(other)
        pairs = [
            (facts, other)
            for sha, facts in unique.items()
            for other in by_header.get(wanted[sha], ())
            if other.sha != sha and other.committed_at >= facts.committed_at
        ]
        raws = {sha: unique[sha].inverse_raw for sha in {facts.sha for facts, _ in pairs}}
        doubtful = []
        for facts, other in pairs:
            if raws[facts.sha] == other.raw:
                self.undoings.note(facts.sha, other.sha, other.committed_at)
            else:
                doubtful.append((facts, other))
        return self._to_compare(doubtful)

    def _to_compare(self, pairs: Sequence[tuple[Facts, Facts]]) -> list[tuple[Facts, Facts]]:
        pairs = [(one, other) for one, other in pairs if not (one.wide or other.wide)]
        self.patches.measure({facts.sha: facts for pair in pairs for facts in pair}.values())
        pairs = [pair for pair in pairs if self.patches.may_equal(*pair, inverse=True)]
        apart = self.patches.told_apart(pairs, inverse=True)
        pairs = [(one, other) for one, other in pairs if (one.sha, other.sha) not in apart]
        self.patches.read(facts.sha for pair in pairs for facts in pair)
        return pairs

    def _reverts_of_nothing(self, observed: Mapping[str, Observed]) -> None:
        """A revert in production owes nothing where the target never had what it undoes."""
        for sha, seen in observed.items():
            for by in self.undoings.by(sha):
                reverter = observed.get(by)
                if reverter is None or seen.in_target or self.undoings.standing(by):
                    continue
                standing = [match for match in matches_of(seen) if match.sha not in seen.reverted]
                if not standing and not seen.squashed:
                    reverter.undoes = sha


def matches_of(seen: Observed) -> Iterable[Match]:
    """Every possible counterpart that was noted."""
    yield from seen.same_patch
    yield from seen.same_lines
    yield from seen.declared
    yield from seen.likely
