"""Lay out a repository for discovery: the commits that matter as a graph, target lines, tags, and what messages say.

Where production and targets were cut from one line and never met again (maintenance lines, hotfix tags), or where every
commit is asked about by itself, only what they do not share is looked at. Where they merge back and forth (GitFlow),
production's whole history is, because the fixes in it that are merged count as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from releases.evidence.graph import CommitGraph
from releases.evidence.history import History

from .discovery import Ground, Production
from .drafts import Message
from .flow import FlowPolicy, Preset
from .lines import Landing, chain
from .names import matches
from .own_changes import kept_own_changes
from .refs import NamedTip
from .squashed import squashed_releases
from .versions import Tag, version_tags


class Region:
    """The commits that production and targets do not share, by number.

    Parents outside have numbers too, but no parents: they are common ground.
    """

    def __init__(self, history: History, commits: Iterable[str]) -> None:
        self._shas = list(dict.fromkeys(commits))
        self._numbers = {sha: number for number, sha in enumerate(self._shas)}
        self.inside = len(self._shas)
        """Commits from this number on are common ground."""
        self._parents: list[tuple[int, ...]] = []
        for sha in self._shas[: self.inside]:
            self._parents.append(tuple(self.add(parent) for parent in history.parents(sha)))

    def add(self, sha: str) -> int:
        """The number of a commit, which becomes common ground when it was not known."""
        number = self._numbers.get(sha)
        if number is None:
            number = self._numbers[sha] = len(self._shas)
            self._shas.append(sha)
        return number

    def __len__(self) -> int:
        return len(self._shas)

    def get(self, sha: str) -> int | None:
        return self._numbers.get(sha)

    def number(self, sha: str) -> int:
        return self._numbers[sha]

    def sha(self, number: int) -> str:
        return self._shas[number]

    def parents_of(self, number: int) -> Sequence[int]:
        return self._parents[number] if number < self.inside else ()


class Terrain:
    """A history made ready for discovery."""

    def __init__(
        self, history: History, policy: FlowPolicy, production: Sequence[NamedTip], targets: Sequence[NamedTip],
        tags: Sequence[tuple[str, str, int]], *, single: bool = False,
    ) -> None:  # fmt: skip
        """With `single`, only commits that some target lacks are asked about, each by itself."""
        self.single = single
        self.history = history
        self.policy = policy
        self.production = production
        self.targets = targets
        self._live = tuple(dict.fromkeys(tip for item in production for tip in item.tips))
        self.newest = 0
        """When the newest commit was made that was compared with states of the targets (Unix seconds)."""
        self.graph = self._graph()
        self.in_all = self._in_all()
        self.tags = self._tags(tags)
        self.ground = self._ground()

    def _graph(self) -> Region | CommitGraph:
        if self.single or self.policy.preset != Preset.GITFLOW:
            lacking = [sha for target in self.targets for sha in self.history.walk(self._live, target.tips)]
            # A tag that contains what a target lacks is not in that target: among what is lacking are all that count.
            beyond = [] if self.single else self.targets
            gained = [sha for target in beyond for sha in self.history.walk(target.tips, self._live)]
            region = Region(self.history, [*lacking, *gained])
            for tip in (*self._live, *(tip for target in self.targets for tip in target.tips)):
                region.add(tip)
            if self.single or self._cut_once(region):
                return region
        return self.history.graph

    def _cut_once(self, region: Region) -> bool:
        """Does every production line leave the common ground where the line of a main target does, or below it?"""
        ends = {list(chain(region, region.number(target.tips[0])))[-1] for target in self._main_targets()}
        for tip in self._live:
            end = list(chain(region, region.number(tip)))[-1]
            if end not in ends and end >= region.inside and not self._on_main_line(region.sha(end)):
                return False
        return True

    def _on_main_line(self, sha: str) -> bool:
        """Is this common commit on the first-parent line of a main target?"""
        for target in self._main_targets():
            line = self.history.first_parent_chain(target.tips[0], self.history.parents(sha))
            if line and line[-1] == sha:
                return True
        return False

    def _main_targets(self) -> Sequence[NamedTip]:
        """Targets where things are made (develop, main); when there are none, all."""
        temporary = (*self.policy.release_branches, *self.policy.support_branches)
        return [target for target in self.targets if not matches(target.branch, temporary)] or self.targets

    def _in_all(self) -> bytearray:
        """1 for commits that every target contains."""
        marks = bytearray(b"\1" * len(self.graph))
        for target in self.targets:
            for sha in self.history.walk(self._live, target.tips):
                number = self.graph.get(sha)
                if number is not None:
                    marks[number] = 0
        return marks

    def _own(self) -> bytearray:
        """1 for commits on the own line of a main target."""
        marks = bytearray(len(self.graph))
        for target in self._main_targets():
            for commit in chain(self.graph, self.graph.number(target.tips[0])):
                if marks[commit]:
                    break
                marks[commit] = 1
        if isinstance(self.graph, Region):
            # Common ground below the place where the lines part belongs to the targets as well.
            for number in range(self.graph.inside, len(self.graph)):
                marks[number] = 1
        return marks

    def _tags(self, tags: Sequence[tuple[str, str, int]]) -> list[Tag]:
        known = [Tag(name, number, made) for name, sha, made in tags if (number := self.graph.get(sha)) is not None]
        return version_tags(known, self.policy.tag_pattern)

    def _ground(self) -> Ground:
        tagged: dict[int, list[str]] = {}
        for tag in self.tags:
            tagged.setdefault(tag.commit, []).append(tag.name)
        return Ground(
            graph=self.graph,
            policy=self.policy,
            production=tuple(
                Production(item.name, tuple(self.graph.number(tip) for tip in item.tips), item.branch)
                for item in self.production
            ),
            targets={target.branch or target.name: self.graph.number(target.tips[0]) for target in self.targets},
            in_all=self.in_all,
            own=self._own(),
            tagged=tagged,
            message=self.messages,
            squashed_release=self._squashed,
            evil=self._evil,
        )

    def messages(self, commits: Iterable[int]) -> Mapping[int, Message]:
        """What these commits say; unreadable ones are left out."""
        wanted = {number: self.graph.sha(number) for number in commits}
        self.history.prefetch(wanted.values())
        found: dict[int, Message] = {}
        for number, sha in wanted.items():
            facts = self.history.known(sha)
            if facts is not None:
                found[number] = Message(
                    sha, facts.subject, _body(self.history.message(sha)), facts.author_name, facts.author_email,
                    facts.authored_at, facts.committed_at,
                )  # fmt: skip
        return found

    def _squashed(self, landings: Sequence[Landing]) -> set[int]:
        if self.policy.preset != Preset.GITFLOW or not landings:
            return set()
        line = [sha for target in self.targets for sha in self.history.walk(target.tips, self._live)]
        candidates = {self.graph.sha(land.commit): land.commit for land in landings}
        said = self.messages(candidates.values())
        self.newest = max(self.newest, *(message.committed_at for message in said.values()), 0)
        tagged = {self.graph.sha(number): names for number, names in self.ground.tagged.items()}
        found = squashed_releases(self.history, list(candidates), line, tagged)
        return {candidates[sha] for sha in found}

    def _evil(self, commits: Sequence[int]) -> set[int]:
        names = {self.graph.sha(number): number for number in commits}
        return {names[sha] for sha in kept_own_changes(self.history.git_dir, list(names), self.history.store)}


def _body(message: str) -> str:
    return message.partition("\n")[2]
