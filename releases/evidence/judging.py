"""One run of judgement: the commits in question against one target."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from .facts import Facts
from .history import History
from .observe import Identity, Patches, look_for_names
from .pool import Pool
from .rules import Match, Observed, judge_commit
from .undone import ShaIndex, Undoings, said_undoings, titled_undoings
from .verdicts import CommitVerdict, FixVerdict


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
        return {}

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
