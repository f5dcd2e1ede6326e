"""Reads facts and patches from git, in two pipelines side by side and beside whoever asks for them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Generic, TypeVar

from releases.git import objects
from releases.git.standing import Gits

from .content import UNREADABLE, Content, read_content
from .facts import PATCH_LIMIT, Facts, Names, read_facts

LANES = 2
"""Git processes that read at the same time."""
_WORTH_TWO = 24
"""Shorter lists are read by one process."""
_FACTS, _PATCHES = (256, 4), (48, 12)
"""Commits of one part, so that the way to it pays, and parts of a list, at least and at most: neighbours share trees
and delta bases, but a few giants make large parts uneven, and who asks begins with the first that is read."""

Item = TypeVar("Item")


class Lanes(Generic[Item]):
    """Commits that are read part by part, in the order of asking, while who asked does something else."""

    def __init__(self, threads: ThreadPoolExecutor, least: int, most: int) -> None:
        """`least` commits are a part, `most` parts a list."""
        self._threads = threads
        self._least, self._most = least, most
        self._parts: dict[str, Future[Mapping[str, Item]]] = {}

    def __len__(self) -> int:
        return len(self._parts)

    def __contains__(self, sha: str) -> bool:
        return sha in self._parts

    def __getitem__(self, sha: str) -> Item:
        """What was read of a commit, once its part is complete. Raises what reading it raised."""
        return self._parts[sha].result()[sha]

    def begin(self, shas: Iterable[str], read: Callable[[Sequence[str]], Mapping[str, Item]]) -> None:
        """Read these as well, those that are under way left out."""
        new = [sha for sha in dict.fromkeys(shas) if sha not in self._parts]
        size = min(max(self._least, -(-len(new) // self._most)), max(_WORTH_TWO, -(-len(new) // LANES)))
        for start in range(0, len(new), size):
            part = new[start : start + size]
            self._parts.update(dict.fromkeys(part, self._threads.submit(read, part)))

    def take(self, wanted: Iterable[str]) -> dict[str, Item]:
        """All of the parts that hold any of these, once they are complete; handed out once."""
        parts = dict.fromkeys(part for sha in wanted if (part := self._parts.get(sha)) is not None)
        found = {sha: item for part in parts for sha, item in part.result().items()}
        if parts:
            self._parts = {sha: part for sha, part in self._parts.items() if part not in parts}
        return found


class Reader:
    """Facts and contents of one repository, as they are asked for."""

    def __init__(self, git_dir: Path) -> None:
        self.gits = Gits(git_dir)
        self.unreadable: set[str] = set()
        """Commits of which something could not be read."""
        self._names = Names()
        self._threads = ThreadPoolExecutor(LANES, "reading")
        self.ahead: Lanes[Facts] = Lanes(self._threads, *_FACTS)
        """Facts that are read beside other work."""

    def close(self) -> None:
        """End the git processes, and begin nothing more."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self.gits.close()

    def patches(self) -> Lanes[Content]:
        """Patches to be read beside other work."""
        return Lanes(self._threads, *_PATCHES)

    def facts(self, shas: Sequence[str], *, bodies: bool = True) -> dict[str, Facts]:
        """Facts of these commits, with the whole message or not."""
        if len(shas) < _WORTH_TWO:
            return self.read_facts(shas, bodies=bodies) if shas else {}  # at once, whatever else is being read
        lanes: Lanes[Facts] = Lanes(self._threads, *_FACTS)
        lanes.begin(shas, lambda part: self.read_facts(part, bodies=bodies))
        return lanes.take(shas)

    def read_facts(self, shas: Sequence[str], *, bodies: bool) -> dict[str, Facts]:
        """The same by one process, as lanes do it."""
        read = (read_facts(fields, raw, self._names, body=bodies)
                for fields, raw in objects.records(self.gits, shas, self.unreadable.add))  # fmt: skip
        return {facts.sha: facts for facts in read}

    def read_contents(self, shas: Sequence[str], only: Sequence[str] = ()) -> dict[str, Content]:
        """The patches of these commits by one process; what cannot be read comes back as not readable.

        With `only`, of their changes to these paths.
        """
        found = dict.fromkeys(shas, UNREADABLE)
        for sha, patch, cut in objects.patches(self.gits, shas, self.unreadable.add, PATCH_LIMIT, only):
            found[sha] = read_content(patch, cut=cut)
        return found

    def merge_contents(self, shas: Sequence[str]) -> dict[str, Content]:
        """What merges changed of their own (against what git would have merged); only those with such changes."""
        touched = objects.touched_merges(self.gits, shas, self.unreadable.add)
        suspects = [sha for sha in shas if sha in touched]
        found: dict[str, Content] = {}
        for sha, patch, cut in objects.merge_patches(self.gits.git_dir, suspects, self.unreadable.add, PATCH_LIMIT):
            if patch.strip():
                found[sha] = read_content(patch, cut=cut)
        return found
