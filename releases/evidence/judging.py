"""One run of judgement: the commits in question against one target."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from .alike import GUESSES, budget, guesses, holders, look_alike, look_for_squashes, pieces, union
from .content import Content, contained, similarity
from .declaring import Declaring
from .facts import Facts
from .history import History
from .observe import Identity, begin_names, look_for_moments, look_for_names
from .patches import Patches
from .pool import Pool
from .rules import ALIKE, Match, Observed, judge_commit
from .trial import Pick, Step, trial_picks
from .undoing import Undoing
from .verdicts import CommitVerdict, Evidence, FixVerdict

BESIDE = 4000
"""Commits common to both sides that are looked at besides those of the target alone."""
MERGE_POPULAR = 2000
"""A path that more target commits touch leads to no counterpart of a merge's own changes."""
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
        self.patches = Patches(history.reader)
        self.observed: dict[str, Observed] = {}
        self.lacking: list[str] = []
        """What production has and the target has not."""
        self.members: list[str] = []
        """What the target has that may be a counterpart."""
        self.pool = Pool([], [])
        self.undoings: list[tuple[str, str, int]] = []
        self.squashed: dict[tuple[str, ...], tuple[str, ...]] = {}
        """By group of commits that were compared as one: the target commits that hold them, or none."""
        self.dates: dict[str, int] = {}
        """When commits were made whose metadata was not read this time."""

    def commits(self) -> dict[str, CommitVerdict]:
        """The verdict on each commit in question."""
        self.observe()
        return self.verdicts()

    def verdicts(self) -> dict[str, CommitVerdict]:
        return {sha: judge_commit(seen) for sha, seen in self.observed.items()}

    def observe(self) -> None:
        """Look at every commit in question against all that the target has."""
        history = self.history
        self.lacking = history.lacking(self.target)
        here = self._lacked()
        outside = set(here)
        self.observed = {sha: Observed(sha, in_target=sha not in outside) for sha in self.shas}
        self.members = self.pool_shas()
        history.prefetch([*self.shas, *self.lacking, *self.members], bodies=False)
        candidates = [facts for sha in here if (facts := self._readable(sha)) is not None]
        others = [facts for sha in self.members if (facts := history.known(sha)) is not None]
        self.pool = Pool(candidates, others)
        undoing = Undoing(history, self.patches, self._of_production(candidates), others)
        self.compare(candidates, lambda: undoing.begin(self.observed))
        undoing.look(self.observed)
        self.undoings = undoing.undoings.pairs()
        self._unread()
        self._cut_off()

    def _lacked(self) -> list[str]:
        """Those of the commits in question that the target does not have."""
        lacking = set(self.lacking)
        return [sha for sha in self.shas if sha in lacking or not self.history.contains(self.target, sha)]

    def compare(self, candidates: Sequence[Facts], meanwhile: Callable[[], None] = lambda: None) -> None:
        """Look for counterparts of these commits in the pool, and do something else while patches are read."""
        self._counterparts([facts for facts in candidates if not facts.is_merge], meanwhile)
        self._merges([facts for facts in candidates if facts.is_merge])

    def pool_shas(self) -> list[str]:
        """Target commits that may be counterparts: those production lacks, and common ones beside the fixes."""
        history = self.history
        shas = [*history.gained(self.target), *history.beside(self.target)[:BESIDE]]
        return [sha for sha in shas if len(history.parents(sha)) < 2 and sha not in self.ignored]

    def _of_production(self, candidates: Sequence[Facts]) -> list[Facts]:
        """Production commits that the target lacks and that were read: what undoes a fix may be no fix itself."""
        read = {facts.sha: facts for facts in candidates}
        for sha in self.lacking:
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

    def _counterparts(self, candidates: Sequence[Facts], meanwhile: Callable[[], None]) -> None:
        pool, patches, observed = self.pool, self.patches, self.observed
        # Of some there can be no equal patch: they come first, and everything that needs no patch before the others.
        alone = {c.sha: c for c in candidates if not (self._settled(c.sha) or pool.same_header(c))}
        named = begin_names(pool, patches, list(alone.values()))
        identity = Identity(pool, patches, observed)
        identity.begin(candidates)
        declaring = None if self.masked else self._declaring(candidates)
        meanwhile()
        look_for_names(named, patches, observed)
        identity.finish()
        left = [commit for commit in candidates if not self._settled(commit.sha)]
        named = begin_names(pool, patches, [commit for commit in left if commit.sha not in alone])
        look_for_names(named, patches, observed)
        if declaring is not None:
            declaring.look(left, observed)
        left = [commit for commit in left if commit.header and not self._found(commit.sha)]
        pairs = guesses(self.pool, left, budget(len(candidates)))
        paired = {(pair.commit.sha, pair.other.sha) for pair in pairs}
        more = pieces(self.pool, self.patches, left, budget(len(candidates)))
        pairs += [pair for pair in more if (pair.commit.sha, pair.other.sha) not in paired]
        self.patches.read(sha for pair in pairs for sha in (pair.commit.sha, pair.other.sha))
        look_alike(pairs, self.patches, self.observed)
        look_for_squashes(pairs, self.patches, self.observed, self._picks_nothing)
        look_for_moments(self.pool, self.patches, left, self.observed)

    def _declaring(self, candidates: Sequence[Facts]) -> Declaring:
        between = self._between(candidates)
        return Declaring(self.history, self.tip, self.pool, self.patches, self.ignored, between)

    def _between(self, candidates: Sequence[Facts]) -> Sequence[Facts]:
        """Commits of production that trailers may lead over."""
        return candidates

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
        touching = self.pool.touching(paths, MERGE_POPULAR)
        near = {other.sha: other for others in touching.values() for other in others}
        ranked = sorted(
            near.values(), key=lambda other: (-len(paths & set(other.paths)), -other.committed_at, other.sha)
        )
        chosen = ranked[:MERGE_GUESSES]
        self.patches.read(other.sha for other in chosen)
        seen = self.observed[merge.sha]
        seen.paths = tuple(sorted(paths))
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

    def _unread(self) -> None:
        """Where files that were to be compared cannot be read, absence proves nothing."""
        unreadable = self.history.reader.unreadable
        for sha, seen in self.observed.items() if unreadable else ():
            if not unreadable.isdisjoint((sha, *self.patches.compared.get(sha, ()))):
                seen.unsure = "Git cannot read all files that it may be in: the clone is partial or damaged."

    def _cut_off(self) -> None:
        """Where the target's own history is cut off, absence proves nothing."""
        boundary = self.history.shallow_boundary
        if boundary and not boundary.isdisjoint(self.history.gained(self.target)):
            for seen in self.observed.values():
                seen.unsure = "The target's history is cut off (shallow clone): the fix may lie behind that."
            return
        lost = [sha for sha in self.members if self.history.known(sha) is None]
        if lost:
            why = f"{len(lost)} commits of the target cannot be read here: the fix may be among them."
            for seen in self.observed.values():
                seen.unsure = why

    def _picks_nothing(self, groups: Sequence[Sequence[str]]) -> list[bool]:
        """Whether picking the commits of each group, oldest first, onto the target's tip would change nothing."""
        picks = []
        for group in groups:
            steps = [Step(next(iter(self.history.parents(sha)), None), sha) for sha in group]
            picks.append(Pick(self.tip, tuple(steps)))
        trials = trial_picks(self.history.git_dir, picks)
        return [trial.clean and trial.changes_nothing and not trial.error for trial in trials]

    def squashed_groups(
        self, groups: Sequence[Sequence[str]], commits: Mapping[str, CommitVerdict]
    ) -> dict[int, tuple[str, ...]]:
        """Groups whose whole change is proved to be in one target commit, by number."""
        found: dict[int, tuple[str, ...]] = {}
        for number, group in enumerate(groups):
            if len(group) < 2 or all(commits[sha].settled for sha in group):
                continue
            if tuple(group) not in self.squashed:
                self.history.prefetch(group, bodies=False)
                facts = [known for sha in group if (known := self.history.known(sha)) is not None]
                self.squashed[tuple(group)] = self._squash_of(group, facts) if len(facts) == len(group) else ()
            if held := self.squashed[tuple(group)]:
                found[number] = held
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
        return held if held and self._picks_nothing([group])[0] else ()

    def date(self, sha: str) -> int | None:
        """When this commit was committed (Unix seconds), if that is known."""
        facts = self.history.known(sha)
        return self.dates.get(sha) if facts is None else facts.committed_at

    def dated(self, verdict: FixVerdict) -> FixVerdict:
        """The verdict with the time at which the target got the fix."""
        if verdict.settled:
            dates = (self.date(sha) for part in verdict.commits for sha in part.counterparts)
            verdict.settled_at = max((date for date in dates if date is not None), default=None)
        return verdict
