"""One run of judgement: the commits in question against one target."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from releases.git import objects

from .alike import GUESSES, budget, guesses, holders, look_alike, look_for_squashes, union
from .declared import Declaration, Trailers, change_id_links, outvoted, written_names
from .facts import Facts
from .history import History
from .observe import Identity, Patches, look_for_names, measured
from .pool import Pool
from .rules import Match, Observed, corroborated, judge_commit
from .trial import Pick, Step, trial_picks
from .undone import ShaIndex, Undoings, said_undoings, titled_undoings
from .verdicts import CommitVerdict, FixVerdict

EXTRA = 2000
"""Commits outside production and target whose trailers are followed at most."""


class Judging:
    """Observes and judges; `commits` first, then what needs its result."""

    def __init__(
        self, history: History, target: str, shas: Sequence[str], masked: bool, ignored: frozenset[str]
    ) -> None:
        self.history = history
        self.target = target
        self.tip = history.targets[target]
        self.shas = list(shas)
        self.masked = masked
        self.ignored = ignored
        self.patches = Patches(history.git_dir, history.reader)
        self.observed: dict[str, Observed] = {}

    def commits(self) -> dict[str, CommitVerdict]:
        """The verdict on each commit in question."""
        history = self.history
        lacking = set(history.lacking(self.target))
        here = [sha for sha in self.shas if sha in lacking or not history.contains(self.target, sha)]
        missing_here = set(here)
        self.observed = {sha: Observed(sha, in_target=sha not in missing_here) for sha in self.shas}
        gained = [sha for sha in history.gained(self.target) if len(history.parents(sha)) < 2]
        history.prefetch([*here, *gained], bodies=False)
        candidates = [facts for sha in here if (facts := self._readable(sha)) is not None]
        pool_facts = [f for sha in gained if sha not in self.ignored and (f := history.known(sha)) is not None]
        self.pool = Pool(candidates, pool_facts)
        self._identity_and_names(candidates)
        self._undone(candidates, pool_facts)
        return {sha: judge_commit(seen) for sha, seen in self.observed.items()}

    def _readable(self, sha: str) -> Facts | None:
        seen = self.observed[sha]
        facts = self.history.known(sha)
        if facts is None:
            seen.unreadable = "Git cannot read this commit or its trees here."
            return None
        if sha in self.history.shallow_boundary:
            seen.unreadable = "The history is cut off right behind this commit (shallow clone)."
            return None
        seen.empty = facts.empty and not facts.is_merge
        return facts

    def _identity_and_names(self, candidates: Sequence[Facts]) -> None:
        Identity(self.pool, self.patches, self.observed).look(candidates)
        left = [c for c in candidates if not self._settled(c.sha)]
        look_for_names(self.pool, self.patches, left, self.observed)
        if not self.masked:
            self._declared(candidates, left)
        left = [c for c in left if c.header and not self._found(c.sha)]
        pairs = guesses(self.pool, left, budget(len(candidates)))
        self.patches.read(sha for pair in pairs for sha in (pair.commit.sha, pair.other.sha))
        look_alike(pairs, self.patches, self.observed)
        look_for_squashes(pairs, self.patches, self.observed, self._picks_nothing)

    def _declared(self, candidates: Sequence[Facts], left: Sequence[Facts]) -> None:
        """Follow trailers and Change-Ids of what content alone does not settle."""
        everything = [*candidates, *self.pool.linking]
        index = ShaIndex([*(c.sha for c in candidates), *self.pool.by_sha])
        elsewhere = objects.resolve_many(self.history.git_dir, written_names(everything, index))
        others = set(elsewhere.values())
        strange = objects.unreached(self.history.git_dir, sorted(others), self.tip)
        inside = others - strange
        self.history.prefetch(sorted(strange)[:EXTRA], bodies=False)
        between = [facts for sha in sorted(strange) if (facts := self.history.known(sha)) is not None]
        trailers = Trailers([*everything, *between], lambda name: index.find(name) or elsewhere.get(name))
        pairs: list[tuple[Facts, list[Declaration]]] = []
        for commit in left:
            found = trailers.reached(commit.sha, lambda sha: sha in self.pool or sha in inside)
            found += change_id_links(commit, self.pool)
            found = [d for d in found if d.sha not in self.ignored and not self._before(d.sha, commit.sha, inside)]
            if found:
                pairs.append((commit, found))
        self.history.prefetch((d.sha for _, found in pairs for d in found), bodies=False)
        self.patches.read(
            sha
            for commit, found in pairs
            for d in found
            if self._needs_content(commit, d)
            for sha in (commit.sha, d.sha)
        )
        for commit, found in pairs:
            self._weigh(commit, found)

    def _before(self, sha: str, commit: str, common: set[str]) -> bool:
        """Whether the commit already stood on what it names: then it is no counterpart of it."""
        return sha in common and self.history.reaches(commit, sha)

    def _needs_content(self, commit: Facts, declaration: Declaration) -> bool:
        other = self.history.known(declaration.sha)
        return other is not None and not _same_hand(commit, other)

    def _weigh(self, commit: Facts, found: Sequence[Declaration]) -> None:
        """Turn declarations into matches with what backs them."""
        seen = self.observed[commit.sha]
        named: list[tuple[Facts | None, float | None]] = []
        matches: dict[str, Match] = {}
        for declaration in found:
            other = self.history.known(declaration.sha)
            codes = (declaration.evidence,)
            if other is None:
                matches[declaration.sha] = Match(declaration.sha, codes)
                continue
            if declaration.sha in matches:
                matches[declaration.sha].evidence += codes
                continue
            match = measured(self.patches, commit, other, codes)
            match.authored = _same_hand(commit, other)
            matches[declaration.sha] = match
            named.append((other, match.similarity))
        seen.declared = sorted(matches.values(), key=lambda m: (not corroborated(m), -(m.similarity or 0.0)))
        best = self.history.known(seen.likely[0].sha) if seen.likely else None
        if outvoted(named, commit, best):
            seen.outvoted = seen.declared[0].sha

    def _found(self, sha: str) -> bool:
        seen = self.observed[sha]
        return bool(self._settled(sha) or seen.declared or seen.likely)

    def _picks_nothing(self, shas: Sequence[str]) -> bool:
        """Whether picking these commits, oldest first, onto the target's tip would change nothing."""
        steps = []
        for sha in shas:
            parents = self.history.parents(sha)
            steps.append(Step(parents[0] if parents else None, sha))
        trial = trial_picks(self.history.git_dir, [Pick(self.tip, tuple(steps))])[0]
        return trial.clean and trial.changes_nothing and not trial.error

    def _settled(self, sha: str) -> bool:
        seen = self.observed[sha]
        return bool(seen.empty or seen.same_patch or seen.same_lines)

    def _undone(self, candidates: Sequence[Facts], pool: Sequence[Facts]) -> None:
        everything = [*candidates, *pool]
        index = ShaIndex(facts.sha for facts in everything)
        undoings = Undoings()
        for undone, by in said_undoings(everything, index, lambda sha: ()):
            undoings.note(undone, by)
        for part in (list(candidates), list(pool)):
            for undone, by in titled_undoings(part):
                undoings.note(undone, by)
        in_pool = {facts.sha for facts in pool}
        for seen in self.observed.values():
            for match in _matches(seen):
                by = undoings.standing(match.sha)
                if by in in_pool:
                    seen.reverted[match.sha] = by
            by = undoings.standing(seen.sha)
            if by and by not in in_pool:
                seen.undone_by = by

    def squashed_groups(
        self, groups: Sequence[Sequence[str]], commits: Mapping[str, CommitVerdict]
    ) -> dict[int, tuple[str, ...]]:
        """Groups whose whole change is proved to be in one target commit, by number."""
        found: dict[int, tuple[str, ...]] = {}
        open_groups = [
            (number, list(group))
            for number, group in enumerate(groups)
            if len(group) > 1 and not all(commits[sha].settled for sha in group)
        ]
        for number, group in open_groups:
            facts = [known for sha in group if (known := self.history.known(sha)) is not None]
            if len(facts) == len(group) and (held := self._squash_of(group, facts)):
                found[number] = held
        return found

    def _squash_of(self, group: Sequence[str], facts: Sequence[Facts]) -> tuple[str, ...]:
        paths = tuple(dict.fromkeys(path for commit in facts for path in commit.paths))
        whole = replace(facts[-1], header=b"union", changes=b"", _paths=paths)
        pairs = guesses(self.pool, [whole], 2 * GUESSES)
        if not pairs:
            return ()
        self.patches.read([*group, *(pair.other.sha for pair in pairs)])
        joined = union(self.patches.of(sha) for sha in group)
        if joined is None:
            return ()
        held = holders(joined, [(pair.other, self.patches.of(pair.other.sha)) for pair in pairs])
        return held if held and self._picks_nothing(group) else ()

    def dated(self, verdict: FixVerdict) -> FixVerdict:
        """The verdict with the time at which the target got the fix."""
        if not verdict.settled:
            return verdict
        times = [
            facts.committed_at
            for part in verdict.commits
            for sha in part.counterparts
            if (facts := self.history.known(sha)) is not None
        ]
        return replace(verdict, settled_at=max(times)) if times else verdict


def _matches(seen: Observed) -> Iterable[Match]:
    yield from seen.same_patch
    yield from seen.same_lines
    yield from seen.declared
    yield from seen.likely


def _same_hand(one: Facts, other: Facts) -> bool:
    """Same author and date, or same author and subject."""
    return one.author_key == other.author_key or (one.author_email == other.author_email and one.key == other.key)
