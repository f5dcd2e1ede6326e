"""Follows declarations of commits that content alone does not settle, and weighs what backs them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from releases.git import objects

from .declared import Declaration, Trailers, change_id_links, outvoted, written_names
from .facts import Facts
from .history import History
from .observe import measured
from .patches import Patches
from .pool import Pool
from .rules import Match, Observed, corroborated
from .undone import ShaIndex

EXTRA = 2000
"""Commits outside production and target whose trailers are followed at most."""


class Declaring:
    """Trailers and Change-Ids of one run of judgement."""

    def __init__(
        self, history: History, tip: str, pool: Pool, patches: Patches, ignored: frozenset[str],
        candidates: Sequence[Facts],
    ) -> None:  # fmt: skip
        """Looks up whom messages name; `candidates` may stand between."""
        self.history = history
        self.tip = tip
        self.pool = pool
        self.patches = patches
        self.ignored = ignored
        self._inside: set[str] = set()
        """Named commits that are in the target, though production has them too."""
        self._named = self._trailers(candidates)

    def look(self, left: Sequence[Facts], observed: Mapping[str, Observed]) -> None:
        """Note what the messages of `left` (and of the target) declare."""
        pairs: list[tuple[Facts, list[Declaration]]] = []
        for commit in left:
            found = [*self._named.reached(commit.sha, self._in_target), *change_id_links(commit, self.pool)]
            found = [d for d in found if d.sha not in self.ignored and not self._before(d.sha, commit.sha)]
            if found:
                pairs.append((commit, found))
        self.history.prefetch((d.sha for _, found in pairs for d in found), bodies=False)
        self.patches.compare((commit, self._doubtful(commit, found)) for commit, found in pairs)
        for commit, found in pairs:
            self._weigh(commit, found, observed[commit.sha])

    def _trailers(self, candidates: Sequence[Facts]) -> Trailers:
        everything = [*candidates, *self.pool.linking]
        index = ShaIndex([*(commit.sha for commit in candidates), *self.pool.by_sha])
        elsewhere = objects.resolve_many(self.history.reader.gits, written_names(everything, index))
        others = set(elsewhere.values())
        outside = objects.unreached(self.history.git_dir, sorted(others), self.tip)
        self._inside = others - outside
        between = sorted(outside)[:EXTRA]
        self.history.prefetch(between, bodies=False)
        read = [facts for sha in between if (facts := self.history.known(sha)) is not None]
        return Trailers([*everything, *read], lambda name: index.find(name) or elsewhere.get(name))

    def _in_target(self, sha: str) -> bool:
        return sha in self.pool or sha in self._inside

    def _before(self, sha: str, commit: str) -> bool:
        """Whether the commit already stood on what it names: then that is no counterpart of it."""
        return sha in self._inside and self.history.reaches(commit, sha)

    def _doubtful(self, commit: Facts, found: Sequence[Declaration]) -> list[Facts]:
        """The named commits that only their content can back, as far as that is worth reading."""
        others = [other for d in found if (other := self.history.known(d.sha)) is not None and not commit.wide]
        return [other for other in others if not (other.wide or same_hand(commit, other))]

    def _weigh(self, commit: Facts, found: Sequence[Declaration], seen: Observed) -> None:
        """Turn declarations into matches with what backs them."""
        named: list[tuple[Facts | None, float | None]] = []
        matches: dict[str, Match] = {}
        for declaration in found:
            other = self.history.known(declaration.sha)
            codes = (declaration.evidence,)
            if declaration.sha in matches:
                matches[declaration.sha].evidence += codes
            elif other is None:
                matches[declaration.sha] = Match(declaration.sha, codes)
            else:
                match = measured(self.patches, commit, other, codes)
                match.authored = same_hand(commit, other)
                matches[declaration.sha] = match
                named.append((other, match.similarity))
        for match in seen.declared:
            matches.setdefault(match.sha, match)
        seen.declared = sorted(matches.values(), key=lambda m: (not corroborated(m), -(m.similarity or 0.0), m.sha))
        best = self.history.known(seen.likely[0].sha) if seen.likely else None
        if outvoted(named, commit, best):
            seen.outvoted = seen.declared[0].sha


def same_hand(one: Facts, other: Facts) -> bool:
    """Same author and date, or same author and subject."""
    return one.author_key == other.author_key or (one.author_email == other.author_email and one.key == other.key)
