"""One run of judgement: the commits in question against one target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from .alike import GUESSES, budget, guesses, holders, look_alike, look_for_squashes, union
from .declaring import Declaring
from .facts import Content, Facts, contained, similarity
from .history import History
from .observe import Identity, Patches, look_for_names
from .pool import Pool
from .rules import ALIKE, Match, Observed, judge_commit
from .trial import Pick, Step, trial_picks
from .undoing import Undoing
from .verdicts import CommitVerdict, Evidence, FixVerdict

BESIDE = 4000
"""Commits common to both sides that are looked at besides those of the target alone."""
MERGE_GUESSES = 40
"""Target commits that are compared with one merge that carries changes of its own."""


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
        self.pool = Pool([], [])
        self.undoings: list[tuple[str, str]] = []
        self.squashed: dict[tuple[str, ...], tuple[str, ...]] = {}

    def commits(self) -> dict[str, CommitVerdict]:
        """The verdict on each commit in question."""
        self.observe()
        return self.verdicts()

    def verdicts(self) -> dict[str, CommitVerdict]:
        return {sha: judge_commit(seen) for sha, seen in self.observed.items()}

    def observe(self) -> None:
        """Look at every commit in question against all that the target has."""
        history = self.history
        here = self._lacked()
        outside = set(here)
        self.observed = {sha: Observed(sha, in_target=sha not in outside) for sha in self.shas}
        pool = self._pool_shas()
        history.prefetch([*here, *pool], bodies=False)
        candidates = [facts for sha in here if (facts := self._readable(sha)) is not None]
        others = [facts for sha in pool if sha not in self.ignored and (facts := history.known(sha)) is not None]
        self.pool = Pool(candidates, others)
        self.compare(candidates)
        undoing = Undoing(history, self.patches, self._of_production(candidates), others)
        undoing.look(self.observed)
        self.undoings = undoing.undoings.pairs()
        self._cut_off()

    def _lacked(self) -> list[str]:
        """Those of the commits in question that the target does not have."""
        lacking = set(self.history.lacking(self.target))
        return [sha for sha in self.shas if sha in lacking or not self.history.contains(self.target, sha)]

    def compare(self, candidates: Sequence[Facts], *, trailers: bool = True) -> None:
        """Look for counterparts of these commits in the pool."""
        self._counterparts([facts for facts in candidates if not facts.is_merge], trailers=trailers)
        self._merges([facts for facts in candidates if facts.is_merge])

    def _pool_shas(self) -> list[str]:
        """Target commits that may be counterparts: those production lacks, and common ones beside the fixes."""
        history = self.history
        shas = [*history.gained(self.target), *history.beside(self.target)[:BESIDE]]
        return [sha for sha in shas if len(history.parents(sha)) < 2]

    def _of_production(self, candidates: Sequence[Facts]) -> list[Facts]:
        """Production commits that the target lacks and that were read: what undoes a fix may be no fix itself."""
        read = {facts.sha: facts for facts in candidates}
        for sha in self.history.lacking(self.target):
            facts = self.history.known(sha)
            if facts is not None:
                read.setdefault(sha, facts)
        return list(read.values())

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

    def _counterparts(self, candidates: Sequence[Facts], *, trailers: bool) -> None:
        Identity(self.pool, self.patches, self.observed).look(candidates)
        left = [commit for commit in candidates if not self._settled(commit.sha)]
        look_for_names(self.pool, self.patches, left, self.observed)
        if trailers and not self.masked:
            declaring = Declaring(self.history, self.tip, self.pool, self.patches, self.ignored)
            declaring.look(candidates, left, self.observed)
        left = [commit for commit in left if commit.header and not self._found(commit.sha)]
        pairs = guesses(self.pool, left, budget(len(candidates)))
        self.patches.read(sha for pair in pairs for sha in (pair.commit.sha, pair.other.sha))
        look_alike(pairs, self.patches, self.observed)
        look_for_squashes(pairs, self.patches, self.observed, self._picks_nothing)

    def _settled(self, sha: str) -> bool:
        seen = self.observed[sha]
        return bool(seen.empty or seen.same_patch or seen.same_lines)

    def _found(self, sha: str) -> bool:
        seen = self.observed[sha]
        return bool(self._settled(sha) or seen.declared or seen.likely)

    def _merges(self, merges: Sequence[Facts]) -> None:
        """Merges that carry changes of their own are compared by those; the others owe nothing."""
        if not merges:
            return
        own = self.history.reader.merge_contents([merge.sha for merge in merges])
        for merge in merges:
            content = own.get(merge.sha)
            if content is None:
                self.observed[merge.sha].empty = True
            else:
                self._merge(merge, content)

    def _merge(self, merge: Facts, content: Content) -> None:
        paths = {change.name.split(b" b/")[0][2:].decode("utf-8", "replace") for change in content.changes}
        touching = self.pool.touching(paths)
        near = {other.sha: other for others in touching.values() for other in others if not other.wide}
        ranked = sorted(near.values(), key=lambda other: (-len(paths & set(other.paths)), -other.committed_at))
        chosen = ranked[:MERGE_GUESSES]
        self.patches.read(other.sha for other in chosen)
        seen = self.observed[merge.sha]
        for other in chosen:
            theirs = self.patches.of(other.sha)
            if not theirs.readable:
                continue
            if content.same_patch(theirs):
                seen.same_patch.append(Match(other.sha, (Evidence.PATCH_ID,), 1.0))
            elif content.lines_id == theirs.lines_id:
                seen.same_lines.append(Match(other.sha, (Evidence.NO_CONTEXT,), 1.0))
            elif (share := similarity(content, theirs)) is not None and share >= ALIKE:
                held = contained(content, theirs)
                seen.likely.append(Match(other.sha, (Evidence.SIMILARITY,), share, held))

    def _cut_off(self) -> None:
        """Where the target's own history is cut off, absence proves nothing."""
        boundary = self.history.shallow_boundary
        if boundary and not boundary.isdisjoint(self.history.gained(self.target)):
            for seen in self.observed.values():
                seen.unsure = "The target's history is cut off (shallow clone): the fix may lie behind that."
            return
        lost = [sha for sha in self._pool_shas() if self.history.known(sha) is None]
        if lost:
            why = f"{len(lost)} commits of the target cannot be read here: the fix may be among them."
            for seen in self.observed.values():
                seen.unsure = why

    def _picks_nothing(self, shas: Sequence[str]) -> bool:
        """Whether picking these commits, oldest first, onto the target's tip would change nothing."""
        steps = []
        for sha in shas:
            parents = self.history.parents(sha)
            steps.append(Step(parents[0] if parents else None, sha))
        trial = trial_picks(self.history.git_dir, [Pick(self.tip, tuple(steps))])[0]
        return trial.clean and trial.changes_nothing and not trial.error

    def squashed_groups(
        self, groups: Sequence[Sequence[str]], commits: Mapping[str, CommitVerdict]
    ) -> dict[int, tuple[str, ...]]:
        """Groups whose whole change is proved to be in one target commit, by number."""
        found: dict[int, tuple[str, ...]] = {}
        for number, group in enumerate(groups):
            if len(group) < 2 or all(commits[sha].settled for sha in group):
                continue
            if tuple(group) in self.squashed:
                found[number] = self.squashed[tuple(group)]
                continue
            facts = [known for sha in group if (known := self.history.known(sha)) is not None]
            if len(facts) == len(group) and (held := self._squash_of(group, facts)):
                found[number] = self.squashed[tuple(group)] = held
        return found

    def _squash_of(self, group: Sequence[str], facts: Sequence[Facts]) -> tuple[str, ...]:
        paths = tuple(dict.fromkeys(path for commit in facts for path in commit.paths))
        whole = replace(facts[-1], header=b"union", changes=b":", _paths=paths)
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
