"""Which commits production and targets have, which of them the others lack, and what each commit says of itself.

Only the part of the history that is not common to all is walked; metadata is read once for whoever asks first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from releases.git import objects

from .facts import Facts
from .gather import Reader
from .graph import CommitGraph
from .store import FactStore

ROOTS = 400
"""Forks of production whose common ground is looked for."""


class History:
    """The commits reachable from production and target tips.

    `production` and `targets` map names as typed to full object ids. Whoever makes one closes it.
    """

    def __init__(self, git_dir: Path | str, production: Mapping[str, str], targets: Mapping[str, str]) -> None:
        self.git_dir = Path(git_dir)
        self.production = {name: str(sha) for name, sha in production.items()}
        self.targets = {name: str(sha) for name, sha in targets.items()}
        self.reader = Reader(self.git_dir)
        self.store: FactStore | None = None
        """Where facts are looked for before git is asked, and kept afterwards."""
        self._facts: dict[str, Facts] = {}
        self._parents: dict[str, tuple[str, ...]] = {}
        self._walks: dict[tuple[tuple[str, ...], tuple[str, ...]], list[str]] = {}
        self._sets: dict[tuple[tuple[str, ...], tuple[str, ...]], frozenset[str]] = {}
        self._common: dict[str, list[str]] = {}
        self._pushed: dict[tuple[str, str], list[str] | None] = {}
        self._ancestor: dict[tuple[str, str], bool] = {}
        self._boundary: set[str] | None = None
        self._graph: CommitGraph | None = None

    def close(self) -> None:
        """End the git processes that answered. To be called when nothing more is asked."""
        self.reader.close()

    @property
    def shallow_boundary(self) -> set[str]:
        """Commits whose parents were cut off; empty for a whole history."""
        if self._boundary is None:
            self._boundary = objects.shallow_boundary(self.git_dir)
        return self._boundary

    def walk(self, tips: Iterable[str], without: Iterable[str] = ()) -> list[str]:
        """Commits (merges too) reachable from `tips` and not from `without`; children before their parents."""
        key = (tuple(sorted(set(tips))), tuple(sorted(set(without))))
        known = self._walks.get(key)
        if known is None:
            known = self._walks[key] = []
            revisions = [*key[0], *(f"^{sha}" for sha in key[1])]
            for line in objects.walk(self.git_dir, revisions, "--parents", "--topo-order"):
                sha, *parents = line.split(" ")
                known.append(sha)
                self._parents[sha] = tuple(parents)
        return known

    def lacking(self, target: str) -> list[str]:
        """Production commits (merges too) that this target (a name) lacks; children before their parents."""
        return self.walk(self.production.values(), [self.targets[target]])

    def gained(self, target: str) -> list[str]:
        """Commits (merges too) of this target that production lacks; children before their parents."""
        return self.walk([self.targets[target]], self.production.values())

    def beside(self, target: str) -> list[str]:
        """Commits common to production and this target that not all commits of `lacking` stand on, newest first.

        A fix may have been made there first and have come to production twice: by a pick, and with a later merge.
        What every commit in question stands on cannot be a counterpart and is left out.
        """
        if target not in self._common:
            self._common[target] = self._walk_beside(target)
        return self._common[target]

    def _walk_beside(self, target: str) -> list[str]:
        lacking, gained = self.lacking(target), self.gained(target)
        ours = self._members(self.production.values(), [self.targets[target]])
        theirs = self._members([self.targets[target]], self.production.values())
        roots: dict[str, None] = {}
        tops: dict[str, None] = {}
        for sha in lacking:
            outside = [parent for parent in self.parents(sha) if parent not in ours]
            tops.update((parent, None) for parent in outside)
            if len(outside) == len(self.parents(sha)):
                roots.update((parent, None) for parent in outside)
        for sha in gained:
            tops.update((parent, None) for parent in self.parents(sha) if parent not in theirs)
        if not lacking or not tops or (len(roots) == 1 and tops.keys() == roots.keys()):
            return []
        below = list(roots) if len(roots) == 1 else objects.merge_bases(self.git_dir, list(roots)[:ROOTS], octopus=True)
        return self.walk(tops, below) if roots else []

    def region_merges(self) -> list[str]:
        """Merges among all commits walked so far."""
        return [sha for sha, parents in self._parents.items() if len(parents) > 1]

    def pushed(self, target: str, before: str) -> list[str] | None:
        """Commits that came to this target since it stood at `before`, those of production left out.

        None when it did not simply move forward.
        """
        if (target, before) not in self._pushed:
            self._pushed[target, before] = self._walk_pushed(self.targets[target], before)
        return self._pushed[target, before]

    def _walk_pushed(self, tip: str, before: str) -> list[str] | None:
        if tip == before:
            return []
        came = []
        revisions = [tip, f"^{before}", *(f"^{sha}" for sha in self.production.values())]
        for line in objects.walk(self.git_dir, revisions, "--parents", "--topo-order"):
            sha, *parents = line.split(" ")
            came.append(sha)
            self._parents[sha] = tuple(parents)
        forward = any(before in self._parents[sha] for sha in came)
        return came if forward or objects.is_ancestor(self.git_dir, before, tip) else None

    def contains(self, target: str, sha: str) -> bool:
        """Whether this target (a name) has a commit in its history. Cheap for commits of production and targets."""
        return self.reaches(self.targets[target], sha)

    def reaches(self, tip: str, sha: str) -> bool:
        """Whether a commit is the tip or an ancestor of it."""
        for at in self.targets.values():
            if at == tip:
                if sha in self._members(self.production.values(), [tip]):
                    return False
                if sha in self._members([tip], self.production.values()):
                    return True
                break
        known = self._ancestor.get((tip, sha))
        if known is None:
            known = self._ancestor[tip, sha] = objects.is_ancestor(self.git_dir, sha, tip)
        return known

    def _members(self, tips: Iterable[str], without: Iterable[str]) -> frozenset[str]:
        key = (tuple(sorted(set(tips))), tuple(sorted(set(without))))
        known = self._sets.get(key)
        if known is None:
            known = self._sets[key] = frozenset(self.walk(*key))
        return known

    def parents(self, sha: str) -> tuple[str, ...]:
        """Object ids of the parents, first parent first."""
        known = self._parents.get(sha)
        if known is None:
            self.prefetch([sha], bodies=False)
            known = self._parents[sha] = self._facts[sha].parents
        return known

    def first_parent_chain(self, tip: str, without: Sequence[str] = ()) -> list[str]:
        """The line of first parents from the tip down, the tip first; up to what `without` reaches."""
        revisions = [tip, *(f"^{sha}" for sha in without)]
        chain = []
        for line in objects.walk(self.git_dir, revisions, "--parents", "--first-parent"):
            sha, *parents = line.split(" ")
            chain.append(sha)
            del parents  # rewritten by --first-parent: not the commit's own
        return chain

    @property
    def graph(self) -> CommitGraph:
        """The whole graph of all tips, walked when first asked for."""
        if self._graph is None:
            tips = dict.fromkeys([*self.production.values(), *self.targets.values()])
            self._graph = CommitGraph(objects.walk(self.git_dir, list(tips), "--parents", "--topo-order"))
        return self._graph

    def keep_in(self, store: FactStore | None) -> None:
        """Look up and keep facts there from now on, what was read before included: the next run relies on it."""
        self.store = store
        if store is not None:
            store.keep_facts(self._facts.values())

    def prefetch(self, shas: Iterable[str], *, bodies: bool = True) -> None:
        """Read metadata of many commits at once, those that are not known yet."""
        known = self._facts
        wanted = [sha for sha in dict.fromkeys(shas) if sha not in known or (bodies and known[sha].body is None)]
        if wanted and self.reader.ahead:
            known.update(self.reader.ahead.take(wanted))
            wanted = [sha for sha in wanted if sha not in known or (bodies and known[sha].body is None)]
        if wanted and self.store is not None:
            kept = self.store.facts(wanted)
            self._facts.update((sha, facts) for sha, facts in kept.items() if facts.body is not None or not bodies)
            wanted = [sha for sha in wanted if sha not in known or (bodies and known[sha].body is None)]
        if wanted:
            read = self.reader.facts(wanted, bodies=bodies)
            self._facts.update(read)
            if self.store is not None:
                self.store.keep_facts(read.values())

    def commit(self, sha: str) -> Facts:
        """Metadata of one commit (`prefetch` first where there are many). Raises KeyError when it cannot be read."""
        if sha not in self._facts:
            self.prefetch([sha])
        return self._facts[sha]

    def known(self, sha: str) -> Facts | None:
        """Metadata where it was read already."""
        return self._facts.get(sha)

    def message(self, sha: str) -> str:
        """The whole commit message."""
        facts = self.commit(sha)
        if facts.body is None:
            facts = self._facts[sha] = self.reader.facts([sha])[sha]
        return facts.body or ""
