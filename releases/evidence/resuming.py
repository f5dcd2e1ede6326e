"""Judges on from an earlier run: what was observed stays true, and only what was pushed since is looked at."""

from __future__ import annotations

from collections.abc import Sequence

from .declared import HUB
from .facts import Facts
from .history import History
from .judging import Judging
from .pool import Pool
from .rules import Observed
from .snapshot import Snapshot
from .undoing import Undoing, matches_of

MUCH = 400
"""Pushed commits from which everything is judged afresh."""
NEW_SHARE = 4
"""Everything is judged afresh when more than one in so many commits in question is new."""


class Resuming(Judging):
    """A judgement that goes on from a snapshot; `observe` says whether that was possible."""

    def __init__(
        self,
        history: History,
        target: str,
        shas: Sequence[str],
        masked: bool,
        ignored: frozenset[str],
        snapshot: Snapshot,
    ) -> None:
        super().__init__(history, target, shas, masked, ignored)
        self.snapshot = snapshot

    def resume(self) -> bool:
        """Observe what changed; False when the target did not simply move forward, or too much is new."""
        history, snapshot = self.history, self.snapshot
        pushed = history.pushed(self.target, snapshot.tip)
        if pushed is None or len(pushed) > MUCH or history.shallow_boundary:
            return False
        here = self._lacked()
        new = [sha for sha in here if sha not in snapshot.observed]
        if len(new) * NEW_SHARE > len(here):
            return False
        history.adopt(snapshot.facts)
        outside = set(here)
        self.observed = {sha: self._start(sha, inside=sha not in outside) for sha in self.shas}
        came = self._came(pushed)
        self._look(here, new, came)
        return True

    def _start(self, sha: str, *, inside: bool) -> Observed:
        """What was observed, without what later pushes may have changed."""
        kept = self.snapshot.observed.get(sha)
        if inside or kept is None:
            return Observed(sha, in_target=inside)
        kept.undone_by = kept.undoes = ""
        kept.reverted = {}
        return kept

    def _came(self, pushed: Sequence[str]) -> list[Facts]:
        singles = [sha for sha in pushed if len(self.history.parents(sha)) < 2]
        self.history.prefetch(singles, bodies=False)
        known = [self.history.known(sha) for sha in singles if sha not in self.ignored]
        return [facts for facts in known if facts is not None]

    def _look(self, here: Sequence[str], new: Sequence[str], came: Sequence[Facts]) -> None:
        history = self.history
        fresh = Judging(history, self.target, new, self.masked, self.ignored)
        if new:
            fresh.observe()
            self.observed.update(fresh.observed)
        added = set(new)
        old = [facts for sha in here if sha not in added and (facts := history.known(sha)) is not None]
        self.pool = Pool(old, came)
        if came:
            self.compare([facts for facts in old if self._open(facts)], trailers=self._named(old, came))
        self._undo(here, fresh, came)
        self.squashed = dict(self.snapshot.squashed)

    def _open(self, facts: Facts) -> bool:
        """Merges are compared again only as long as their own changes are not found."""
        seen = self.observed[facts.sha]
        return not facts.is_merge or not (seen.empty or seen.same_patch or seen.same_lines)

    def _named(self, old: Sequence[Facts], came: Sequence[Facts]) -> bool:
        """Whether any message links what came with the commits in question."""
        starts = [facts.sha[:7] for facts in came]
        if any(0 < len(facts.links) <= HUB or facts.change_id for facts in came):
            return True
        return any(start in facts.said for facts in old if facts.said for start in starts)

    def _undo(self, here: Sequence[str], fresh: Judging, came: Sequence[Facts]) -> None:
        history = self.history
        ours = {sha: facts for sha in here if (facts := history.known(sha)) is not None}
        for sha in history.lacking(self.target):
            if (facts := history.known(sha)) is not None:
                ours.setdefault(sha, facts)
        names = {match.sha for seen in self.observed.values() for match in matches_of(seen)}
        earlier = [*self.snapshot.undoings, *fresh.undoings]
        names.update(by for _, by in earlier)
        theirs = {facts.sha: facts for facts in came}
        for sha in names:
            if sha not in ours and (facts := history.known(sha)) is not None:
                theirs.setdefault(sha, facts)
        new = frozenset([*(facts.sha for facts in came), *fresh.shas])
        undoing = Undoing(history, self.patches, list(ours.values()), list(theirs.values()), earlier, new)
        undoing.look(self.observed)
        self.undoings = undoing.undoings.pairs()


def snapshot_of(judging: Judging) -> Snapshot:
    """What the next run needs to go on from here."""
    history = judging.history
    observed = {sha: seen for sha, seen in judging.observed.items() if not seen.in_target}
    names = {match.sha for seen in observed.values() for match in matches_of(seen)}
    names.update(sha for pair in judging.undoings for sha in pair)
    names.update(observed)
    facts = {sha: known for sha in names if (known := history.known(sha)) is not None}
    production = tuple(sorted(history.production.values()))
    return Snapshot(judging.tip, production, observed, facts, judging.undoings, judging.squashed)
