"""Judges on from an earlier run: what was observed stays true, but for commits that share something with the push.

Those, and commits that are new in production, are judged by the same rules as ever, against what they have in common
with the target's commits according to the kept keys. The answer is the one that judging from nothing gives, except
that the budget for guesses (see `alike`) is given out anew.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from .alike import POPULAR, own_again, promise
from .facts import Facts
from .history import History
from .index import Index, IndexedPool, like
from .judging import Judging
from .keys import HEADER, hand_keys, key
from .observe import BLANKS
from .rules import HALF, Observed
from .snapshot import Snapshot
from .store import FactStore
from .undoing import Earlier, Undoing, matches_of

MUCH = 400
"""Commits that came or went from which everything is judged afresh."""
FEW_NEW, NEW_SHARE = 20, 4
"""So is it when there are more than a few new commits in question, and more than one in so many."""


@dataclass(slots=True)
class Change:
    """What a push changed for one target."""

    lacking: list[str]
    members: Collection[str]
    """Target commits that may be counterparts now."""
    came: list[str]
    gone: list[str]


class Resuming(Judging):
    """A judgement that goes on from a snapshot; `resume` says whether that was possible."""

    def __init__(
        self,
        history: History,
        target: str,
        shas: Sequence[str],
        masked: bool,
        ignored: frozenset[str],
        snapshot: Snapshot,
        store: FactStore,
    ) -> None:
        super().__init__(history, target, shas, masked, ignored)
        self.snapshot = snapshot
        self.store = store
        self.index = Index(history, store, ())

    def resume(self) -> bool:
        """Observe what changed; False when the target did not simply move forward, or too much is new."""
        change = self._change()
        if change is None or len(change.came) + len(change.gone) > MUCH:
            return False
        kept = self.snapshot.observed
        self.lacking, self.members = change.lacking, list(change.members)
        here = self._lacked()
        new = [sha for sha in here if sha not in kept]
        if len(new) > max(FEW_NEW, len(here) // NEW_SHARE):
            return False
        self.dates = self.snapshot.dates
        self.index = Index(self.history, self.store, frozenset(change.members))
        fresh = self.index.facts([*change.came, *change.gone])
        if len(fresh) < len(change.came) + len(change.gone):
            return False
        outside = set(here)
        self.observed = {sha: kept[sha] if sha in outside and sha in kept else self._start(sha, outside)
                         for sha in self.shas}  # fmt: skip
        self._look(outside - set(new), new, fresh, set(change.gone))
        return self.store.usable

    def _start(self, sha: str, outside: Collection[str]) -> Observed:
        return Observed(sha, in_target=sha not in outside)

    # What changed

    def _change(self) -> Change | None:
        history, kept = self.history, self.snapshot
        pushed = history.pushed(self.target, kept.tip)
        if pushed is None or len(pushed) > MUCH or history.shallow_boundary:
            return None
        if any(seen.unsure or seen.unreadable for seen in kept.observed.values()):
            return None
        alone = pushed_alone(history, self.target, kept)
        if alone is None:
            return self._changed_much()
        came = [sha for sha in alone if len(history.parents(sha)) < 2 and sha not in self.ignored]
        return Change(kept.lacking, [*came, *kept.pool], came, [])

    def _changed_much(self) -> Change:
        """Production moved, or the target took over something of it: what they have in common changed, too."""
        members = self.pool_shas()
        before, now = set(self.snapshot.pool), set(members)
        came = [sha for sha in members if sha not in before]
        gone = [sha for sha in self.snapshot.pool if sha not in now]
        return Change(self.history.lacking(self.target), members, came, gone)

    def _lacked(self) -> list[str]:
        """Those of the commits in question that the target does not have."""
        lacking = set(self.lacking)
        known = self.snapshot.dates
        return [sha for sha in self.shas
                if sha in lacking or (sha not in known and not self.history.contains(self.target, sha))]  # fmt: skip

    # Who is to be looked at again

    def _look(self, old: Collection[str], new: Sequence[str], fresh: Sequence[Facts], gone: Collection[str]) -> None:
        near = self._near(fresh, old)
        again = self._touched(fresh, old, near) | self._lost(old, gone)
        self.squashed = {
            group: held
            for group, held in self.snapshot.squashed.items()
            if not any(sha in near or sha in again or sha not in old for sha in group)
        }
        again.update(new)
        asked = [sha for sha in self.shas if sha in again]
        for sha in asked:
            self.observed[sha] = Observed(sha)
        self.index.facts(asked)
        candidates = [facts for sha in asked if (facts := self._readable(sha)) is not None]
        linked = set() if self.masked else self.index.named_around(candidates)
        self._linked = linked
        self.pool = IndexedPool(candidates, linked, self.index)
        if candidates:
            self.compare(candidates)
        self._undo(candidates, fresh, old)

    def _between(self, candidates: Sequence[Facts]) -> Sequence[Facts]:
        asked = {facts.sha for facts in candidates}
        others = [sha for sha in self._linked if sha in self.observed and sha not in asked]
        return [*candidates, *(facts for facts in self.index.facts(others) if not self.observed[facts.sha].in_target)]

    def _near(self, fresh: Sequence[Facts], old: Collection[str]) -> set[str]:
        """Commits in question that touch a path which the push touches, too."""
        paths = {path for facts in fresh if not facts.wide for path in facts.paths}
        found = self.index.by_path(paths)
        near = {sha for shas in found.values() for sha in shas if sha in old}
        return near | {sha for sha in old if not paths.isdisjoint(self.observed[sha].paths)}

    def _touched(self, fresh: Sequence[Facts], old: Collection[str], near: Collection[str]) -> set[str]:
        """Commits in question whose verdict may be another one now."""
        named = self.index.sharing(like(fresh))
        headers = {key(HEADER, facts.header) for facts in fresh if facts.header}
        found = {sha for at, shas in named.items() if at not in headers for sha in shas
                 if sha in old and not self._settled(sha)}  # fmt: skip
        if not self.masked:
            around = self.index.named_around(fresh) if fresh else ()
            found.update(sha for sha in around if sha in old and not self._settled(sha))
        same = {sha for at in headers for sha in named.get(at, ()) if sha in old}
        found |= self._alike(fresh, [sha for sha in same - found if not self.observed[sha].empty])
        found |= self._again(fresh, [sha for sha in old if sha not in found and not self._found(sha)])
        return found | self._promising(fresh, [sha for sha in near if sha not in found])

    def _again(self, fresh: Sequence[Facts], unfound: Collection[str]) -> set[str]:
        """Commits without a counterpart whose author made nearly the same again."""
        hands = self.index.sharing(at for facts in fresh for at in hand_keys(facts))
        asked = {sha for shas in hands.values() for sha in shas}.intersection(unfound)
        return {ours.sha for ours in self.index.facts(asked) if any(own_again(ours, theirs) for theirs in fresh)}

    def _alike(self, fresh: Sequence[Facts], same: Sequence[str]) -> set[str]:
        """Of commits with a header in common: those that may change the same lines."""
        pairs = [(ours, theirs) for ours in self.index.facts(same) for theirs in fresh if ours.header == theirs.header]
        self.patches.measure({facts.sha: facts for pair in pairs for facts in pair}.values())
        return {ours.sha for ours, theirs in pairs if self.patches.may_equal(ours, theirs, slack=BLANKS)}

    def _promising(self, fresh: Sequence[Facts], near: Iterable[str]) -> set[str]:
        """Commits without a counterpart (or with one that depends on the tip) for which a pushed one may be it."""
        found: set[str] = set()
        asked: list[str] = []
        for sha in near:
            seen = self.observed[sha]
            if seen.squashed or seen.tried or (seen.paths and not self._settled(sha)):
                found.add(sha)
            elif not self._found(sha):
                asked.append(sha)
        open_facts = self.index.facts(asked)
        if open_facts:
            paths = {path for facts in fresh for path in facts.paths}
            quiet = self.index.touching(paths, POPULAR).keys()
            for ours in open_facts:
                shared = [f for f in fresh if not quiet.isdisjoint(set(ours.paths) & set(f.paths))]
                if any(promise(ours, theirs) >= HALF or set(theirs.paths) < set(ours.paths) for theirs in shared):
                    found.add(ours.sha)
        return found

    def _lost(self, old: Collection[str], gone: Collection[str]) -> set[str]:
        """Commits in question one of whose counterparts is no longer the target's alone."""
        if not gone:
            return set()
        return {
            sha for sha in old
            if any(match.sha in gone for match in matches_of(self.observed[sha]))
            or any(held in gone for held in self.observed[sha].squashed)
        }  # fmt: skip

    # What was undone

    def _undo(self, candidates: Sequence[Facts], fresh: Sequence[Facts], old: Collection[str]) -> None:
        history, index = self.history, self.index
        for seen in self.observed.values():
            seen.undone_by = seen.undoes = ""
            seen.reverted = {}
        arrived = [sha for sha in self.observed if self.observed[sha].in_target and sha in self.snapshot.observed]
        arrived += [sha for sha in self.observed if sha not in self.snapshot.dates]
        had = set(self.snapshot.lacking)
        arrived += [sha for sha in self.lacking if sha not in had]
        matched = [match.sha for facts in candidates for match in matches_of(self.observed[facts.sha])]
        changed = list(
            {facts.sha: facts for facts in (*fresh, *candidates, *index.facts([*arrived, *matched]))}.values()
        )
        around = {facts.sha: facts for facts in (*changed, *index.facts(index.undoing(changed)))}
        lacking = set(self.lacking)
        ours = [facts for sha, facts in around.items() if sha in lacking]
        theirs = [facts for sha, facts in around.items() if sha in index.members]
        inside = {sha for sha, seen in self.observed.items() if seen.in_target}
        pairs = [pair for pair in self.snapshot.undoings
                 if pair[1] in lacking or pair[1] in index.members or pair[1] in inside]  # fmt: skip
        self._meet_merges(changed)
        undoing = Undoing(history, self.patches, ours, theirs, Earlier(pairs, lacking, index.members))
        undoing.begin(self.observed)
        undoing.look(self.observed)
        self.undoings = undoing.undoings.pairs()

    def _meet_merges(self, changed: Sequence[Facts]) -> None:
        """A revert may name a merge: walk what was not walked yet, so that the merge is known."""
        if any(facts.reverts for facts in changed):
            self.history.lacking(self.target)
            self.history.gained(self.target)


def pushed_alone(history: History, target: str, kept: Snapshot) -> list[str] | None:
    """What came to the target, when that is all that changed since: production stands, and nothing of it came over."""
    pushed = history.pushed(target, kept.tip)
    if pushed is None or tuple(sorted(history.production.values())) != kept.production:
        return None
    had = set(kept.lacking)
    joins = history.targets[target] in had or any(parent in had for sha in pushed for parent in history.parents(sha))
    return None if joins else pushed


def snapshot_of(judging: Judging) -> Snapshot:
    """What the next run needs to go on from here."""
    observed = {sha: seen for sha, seen in judging.observed.items() if not seen.in_target}
    names = dict.fromkeys(judging.observed)
    for seen in observed.values():
        names.update((match.sha, None) for match in matches_of(seen))
        names.update((sha, None) for sha in seen.squashed)
    names.update((sha, None) for held in judging.squashed.values() for sha in held)
    dates = {sha: date for sha in names if (date := judging.date(sha)) is not None}
    production = tuple(sorted(judging.history.production.values()))
    return Snapshot(
        judging.tip, production, judging.lacking, judging.members, observed, dates, judging.undoings, judging.squashed
    )
