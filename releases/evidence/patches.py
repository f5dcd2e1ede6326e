"""What is read of commits to compare them: patches, how much each path grew, and sums over the lines of a file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from releases.git import objects

from .content import Content
from .facts import Facts
from .gather import Reader

BATCH = 4000
"""Patches read in one go."""
HELD = 96 << 20
"""Bytes of patch text that are held before all of it is reduced to fingerprints."""


@dataclass(slots=True)
class Patches:
    """Contents read so far, and the sizes of blobs."""

    reader: Reader
    known: dict[str, Content] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    held: int = 0
    grown: dict[str, tuple[int | None, ...]] = field(default_factory=dict)
    compared: dict[str, set[str]] = field(default_factory=dict)
    """By commit in question: the others whose patches were read for its sake."""

    def compare(self, pairs: Iterable[tuple[Facts, Sequence[Facts]]]) -> None:
        """Read the patches of commits and of those they are to be compared with."""
        listed = [(commit, others) for commit, others in pairs if others]
        self.read(sha for commit, others in listed for sha in (commit.sha, *(other.sha for other in others)))
        for commit, others in listed:
            self.compared.setdefault(commit.sha, set()).update(other.sha for other in others)

    def read(self, shas: Iterable[str]) -> None:
        wanted = [sha for sha in dict.fromkeys(shas) if sha not in self.known]
        for start in range(0, len(wanted), BATCH):
            read = self.reader.contents(wanted[start : start + BATCH])
            self.known.update(read)
            self.held += sum(content.size for content in read.values())
            if self.held > HELD:
                for content in self.known.values():
                    content.compact()
                self.held = 0

    def of(self, sha: str) -> Content:
        if sha not in self.known:
            self.read([sha])
        return self.known[sha]

    def measure(self, commits: Iterable[Facts]) -> None:
        """Learn how much each path of these commits grew."""
        wanted: dict[str, None] = {}
        for commit in commits:
            for pair in commit.blobs:
                wanted.update((blob, None) for blob in pair if blob not in self.sizes and blob.strip("0"))
        if wanted:
            self.sizes.update(objects.sizes(self.reader.gits, list(wanted)))

    def growth(self, commit: Facts) -> tuple[int | None, ...] | None:
        """Bytes by which each path grew, None for what cannot be told; None when nothing can."""
        known = self.grown.get(commit.sha)
        if known is None and (blobs := commit.blobs):
            known = tuple(self._grew(old, new) for old, new in blobs)
            if None not in known:
                self.grown[commit.sha] = known
        return known

    def _grew(self, old: str, new: str) -> int | None:
        was = self.sizes.get(old) if old.strip("0") else 0
        now = self.sizes.get(new) if new.strip("0") else 0
        return None if was is None or now is None else now - was

    def may_equal(self, one: Facts, other: Facts, *, slack: int = 0, inverse: bool = False) -> bool:
        """Whether the growth of each path, give or take blanks, allows the same (or opposite) lines in both."""
        ours, theirs = self.growth(one), self.growth(other)
        if ours is None or theirs is None or len(ours) != len(theirs):
            return True
        sign = -1 if inverse else 1
        return all(a is None or b is None or abs(a - sign * b) <= slack for a, b in zip(ours, theirs, strict=True))
