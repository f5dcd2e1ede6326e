"""A target's possible counterparts, found through the kept keys instead of by reading all of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from .declared import DEPTH, HUB
from .facts import Facts
from .history import History
from .keys import (
    BEGINS,
    CHANGE_ID,
    HEADER,
    NAMES,
    PATH,
    QUOTES,
    REQUEST,
    SUBJECT,
    UNDOES,
    WRITTEN,
    author_key,
    hand_keys,
    key,
)  # fmt: skip
from .pool import Pool
from .store import FactStore
from .undone import quoted_title


class Index:
    """Commits by what they share; `members` are those of the target that may be counterparts."""

    def __init__(self, history: History, store: FactStore, members: Collection[str]) -> None:
        self.history = history
        self.store = store
        self.members = members
        self._by_path: dict[str, list[str]] = {}

    def sharing(self, keys: Iterable[int]) -> dict[int, list[str]]:
        """Known commits (of any branch) by these keys."""
        return self.store.sharing(keys)

    def by_path(self, paths: Iterable[str]) -> dict[str, list[str]]:
        """Known commits that touch these paths; what was asked before is not looked up again."""
        wanted = list(dict.fromkeys(paths))
        new = {path: key(PATH, path) for path in wanted if path not in self._by_path}
        found = self.sharing(new.values())
        self._by_path.update((path, found.get(at, [])) for path, at in new.items())
        return {path: self._by_path[path] for path in wanted}

    def facts(self, shas: Iterable[str]) -> list[Facts]:
        """Facts of these commits; those that cannot be read are left out."""
        wanted = list(dict.fromkeys(shas))
        self.history.prefetch(wanted, bodies=False)
        return [facts for sha in wanted if (facts := self.history.known(sha)) is not None]

    def related(self, commits: Iterable[Facts]) -> list[str]:
        """Members that share header, author and date, subject or Change-Id with one of these."""
        return [sha for sha in self._all(like(commits)) if sha in self.members]

    def of_hands(self, commits: Iterable[Facts]) -> list[str]:
        """Members that the authors of these commits made about the same time."""
        return [sha for sha in self._all(at for facts in commits for at in hand_keys(facts)) if sha in self.members]

    def touching(self, paths: Iterable[str], most: int) -> dict[str, list[str]]:
        """Members by path, without the paths that more than `most` of them touch."""
        found = self.by_path(paths)
        inside = {path: [sha for sha in shas if sha in self.members] for path, shas in found.items()}
        return {path: shas for path, shas in inside.items() if 0 < len(shas) <= most}

    def named_around(self, commits: Iterable[Facts]) -> set[str]:
        """Commits that trailers lead to from these, either way, themselves included."""
        layer = list(commits)
        seen = {facts.sha for facts in layer}
        for _step in range(DEPTH):
            keys = [key(NAMES, facts.sha[:WRITTEN]) for facts in layer]
            for facts in layer:
                if len(facts.links) <= HUB:
                    keys += [key(BEGINS, written[:WRITTEN]) for written in facts.links]
            beyond = [sha for sha in self._all(keys) if sha not in seen]
            if not beyond:
                break
            seen.update(beyond)
            layer = self.facts(beyond)
        return seen

    def undoing(self, commits: Iterable[Facts]) -> list[str]:
        """Commits (of any branch) that may undo one of these, or be undone by one."""
        keys = []
        for facts in commits:
            keys += [key(UNDOES, facts.sha[:WRITTEN]), key(QUOTES, facts.key)]
            keys += [key(BEGINS, written[:WRITTEN]) for written in facts.reverts]
            if facts.header:
                keys.append(key(HEADER, facts.inverse_header))
            if quoted := quoted_title(facts):
                keys.append(key(SUBJECT, quoted))
        return self._all(keys)

    def _all(self, keys: Iterable[int]) -> list[str]:
        return list(dict.fromkeys(sha for shas in self.sharing(keys).values() for sha in shas))


def like(commits: Iterable[Facts]) -> list[int]:
    """The keys by which these commits may have counterparts."""
    keys = []
    for facts in commits:
        keys += [author_key(facts), key(SUBJECT, facts.key)]
        keys += [key(REQUEST, number) for number in facts.requests]
        if facts.header:
            keys.append(key(HEADER, facts.header))
        if facts.change_id:
            keys.append(key(CHANGE_ID, facts.change_id))
    return keys


class IndexedPool(Pool):
    """The pool of some candidates: those who share something with them at once, others when asked for by path."""

    def __init__(self, candidates: Sequence[Facts], linked: Iterable[str], index: Index) -> None:
        self.index = index
        wanted = [*index.related(candidates), *(sha for sha in linked if sha in index.members)]
        super().__init__(candidates, index.facts(wanted))

    def __contains__(self, sha: str) -> bool:
        return sha in self.index.members

    def made_by(self, commits: Sequence[Facts]) -> dict[str, list[Facts]]:
        found: dict[str, list[Facts]] = {}
        for facts in self.index.facts(self.index.of_hands(commits)):
            found.setdefault(facts.author_email, []).append(facts)
        return found

    def touching(self, paths: Iterable[str], most: int) -> dict[str, list[Facts]]:
        near = self.index.touching(paths, most)
        known = {facts.sha: facts for facts in self.index.facts(sha for shas in near.values() for sha in shas)}
        found = {path: [known[sha] for sha in shas if sha in known] for path, shas in near.items()}
        return {path: commits for path, commits in found.items() if commits}
