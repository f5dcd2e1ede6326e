"""Judges fixes against targets: gathers what can be observed, lets the rules decide."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial

from .history import History
from .judging import Judging
from .resuming import Resuming, pushed_alone, snapshot_of
from .rules import judge_fix
from .snapshot import Snapshot, snapshot_key
from .store import FactStore
from .verdicts import FixVerdict

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Options:
    """How to judge."""

    mask_trailers: bool = False
    """Do not use trailers and Change-Ids as evidence (for measuring)."""
    ignore_commits: frozenset[str] = frozenset()
    """Full object ids that must not serve as counterparts (for measuring)."""
    progress: Progress | None = None
    """Told in a few words what is being done."""


class Engine:
    """One repository's judge. `store` keeps facts between runs; without it everything is read from git."""

    def __init__(self, history: History, store: FactStore | None = None, options: Options = Options()) -> None:
        self.history = history
        self.store = store
        self.options = options
        history.keep_in(store)
        self._snapshots: dict[str, Snapshot | None] = {}

    def begin(self) -> None:
        """Start to read what `judge` will ask for, beside what the caller does until then.

        With a store it does nothing: most is known then.
        """
        if self.store is not None:
            return
        for target in self.history.targets:
            reader = self.history.reader
            reader.ahead.begin(self.history.lacking(target), partial(reader.read_facts, bodies=True))
            members = Judging(self.history, target, (), False, frozenset()).pool_shas()
            reader.ahead.begin(members, partial(reader.read_facts, bodies=False))

    def pushed_alone(self, target: str, before: str) -> list[str] | None:
        """Commits that came to a target since it was judged at `before`, when nothing else changed; else None."""
        snapshot = self._snapshot(target)
        if snapshot is None or snapshot.tip != before:
            return None
        return pushed_alone(self.history, target, snapshot)

    def _snapshot(self, target: str) -> Snapshot | None:
        """What an earlier run kept."""
        if target not in self._snapshots:
            self._snapshots[target] = self._read_snapshot(target)
        return self._snapshots[target]

    def _read_snapshot(self, target: str) -> Snapshot | None:
        data = self.store.judgement(self._key(target)) if self.store else None
        if data is None:
            return None
        try:
            return Snapshot.from_data(data)
        except (ValueError, TypeError, LookupError):
            return None

    def _key(self, target: str) -> bytes:
        options = self.options
        return snapshot_key(target, self.history.production, options.mask_trailers, options.ignore_commits)

    def judge(
        self, groups: Sequence[Sequence[str]], chores: Collection[str] = frozenset()
    ) -> dict[str, list[FixVerdict]]:
        """Verdicts by target (as typed), one for each group of commits, in the order of the groups.

        A group lists the commits of one fix, oldest first; a commit may stand in several groups. A fix that is settled
        but for `chores`, such as a version bump that a target does not take, is settled.
        """
        return {target: self._judge_target(groups, target, chores) for target in self.history.targets}

    def _judge_target(self, groups: Sequence[Sequence[str]], target: str, chores: Collection[str]) -> list[FixVerdict]:
        if self.options.progress:
            self.options.progress(f"Judging against {target}")
        shas = list(dict.fromkeys(sha for group in groups for sha in group))
        judging = self._observed(shas, target)
        commits = judging.verdicts()
        squashed = judging.squashed_groups(groups, commits)
        verdicts = []
        for number, group in enumerate(groups):
            verdict = judge_fix([commits[sha] for sha in group], target, squashed.get(number, ()))
            core = [sha for sha in group if sha not in chores]
            if not verdict.settled and 0 < len(core) < len(group):
                alone = judge_fix([commits[sha] for sha in core], target)
                if alone.settled:
                    verdict = alone
                    verdict.why += " The version or changelog that came with it is the branch's own."
            verdicts.append(judging.dated(verdict))
        if self.store is not None:
            self.store.keep_judgement(self._key(target), lambda: snapshot_of(judging).as_data())
        return verdicts

    def _observed(self, shas: Sequence[str], target: str) -> Judging:
        options = self.options
        snapshot = self._snapshot(target)
        self._snapshots[target] = None  # used up: what was observed is changed in place
        if snapshot is not None and self.store is not None:
            resuming = Resuming(
                self.history, target, shas, options.mask_trailers, options.ignore_commits, snapshot, self.store
            )
            if resuming.resume():
                return resuming
        judging = Judging(self.history, target, shas, options.mask_trailers, options.ignore_commits)
        judging.observe()
        return judging
