"""What is read of commits to compare them: patches, how much each path grew, and sums over the lines of a file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial

from releases.git import objects

from .content import Content, tally
from .facts import Facts
from .gather import Lanes, Reader

HELD = 96 << 20
"""Bytes of patch text that are held; of what is read beyond them, fingerprints only."""
MANY_PATHS, PATHS_AT_ONCE = 6, 300
"""Paths from which a commit is compared by a part of them first, and paths looked at in one go then."""
WEIGHED = 256 << 10
"""Bytes of files above which no sum is made over their lines."""


@dataclass(slots=True)
class Patches:
    """Contents read so far, and the sizes of blobs."""

    reader: Reader
    sizes: dict[str, int] = field(default_factory=dict)
    held: int = 0
    tallies: dict[str, int] = field(default_factory=dict)
    grown: dict[str, tuple[int | None, ...]] = field(default_factory=dict)
    compared: dict[str, set[str]] = field(default_factory=dict)
    """By commit in question: the others whose patches were read for its sake."""
    known: Lanes[Content] = field(init=False)

    def __post_init__(self) -> None:
        self.known = self.reader.patches()

    def compare(self, pairs: Iterable[tuple[Facts, Sequence[Facts]]]) -> None:
        """Begin to read the patches of commits and of those they are to be compared with."""
        listed = [(commit, others) for commit, others in pairs if others]
        self.read(sha for commit, others in listed for sha in (commit.sha, *(other.sha for other in others)))
        for commit, others in listed:
            self.compared.setdefault(commit.sha, set()).update(other.sha for other in others)

    def read(self, shas: Iterable[str]) -> None:
        """Begin to read these patches: who asks for the first of them need not wait for the last."""
        self.known.begin(shas, self._read)

    def _read(self, shas: Sequence[str]) -> dict[str, Content]:
        found = self.reader.read_contents(shas)
        self.held += sum(content.size for content in found.values())
        if self.held > HELD:
            for content in found.values():
                content.compact()
        return found

    def of(self, sha: str) -> Content:
        """One patch; waits for it."""
        self.read([sha])
        return self.known[sha]

    def narrowed(self, commits: Iterable[tuple[Facts, Sequence[Facts]]]) -> Lanes[Content]:
        """What these commits, and others of the same header, change where one of them does otherwise.

        Large commits alone, of which most is the same; others are left out.
        """
        paths: dict[str, None] = {}
        shas: dict[str, None] = {}
        for commit, others in commits:
            if others and len(commit.paths) >= MANY_PATHS:
                apart = {path for other in others for path in commit.differing(other)}
                if 2 * len(apart) <= len(commit.paths) and not any(path.startswith('"') for path in apart):
                    paths.update(dict.fromkeys(sorted(apart)))
                    shas.update((facts.sha, None) for facts in (commit, *others))
        found = self.reader.patches()
        if 0 < len(paths) <= PATHS_AT_ONCE:
            found.begin(shas, partial(self.reader.read_contents, only=list(paths)))
        return found

    def told_apart(self, pairs: Iterable[tuple[Facts, Facts]], *, inverse: bool = False) -> set[tuple[str, str]]:
        """Those pairs of commits that change the same paths but cannot change the same (or opposite) lines.

        One small file of each tells, which costs less than two patches. The paths must have been measured.
        """
        listed = list(pairs)
        changed = {facts.sha: facts.blobs for facts in {f.sha: f for pair in listed for f in pair}.values()}
        chosen = {
            (one.sha, other.sha): blobs for one, other in listed
            if (blobs := self._smallest(changed[one.sha], changed[other.sha]))
        }  # fmt: skip
        wanted = {blob for blobs in chosen.values() for blob in blobs if blob.strip("0")} - self.tallies.keys()
        read = sorted(wanted)
        for blob, data in zip(read, self.reader.gits.contents(read), strict=False):
            if data is not None:
                self.tallies[blob] = tally(data)
        sign = -1 if inverse else 1
        return {pair for pair, blobs in chosen.items() if not self._adds_up(blobs, sign)}

    def _smallest(self, one: Sequence[tuple[str, str]], other: Sequence[tuple[str, str]]) -> tuple[str, ...]:
        """Old and new blob of one commit and of the other, for the path where they are smallest; none for giants."""
        least = WEIGHED
        found: tuple[str, ...] = ()
        for (old, new), (was, now) in zip(one, other, strict=False):
            blobs = (old, new, was, now)
            size = sum(self.sizes.get(blob, WEIGHED) for blob in blobs if blob.strip("0"))
            if size < least and (old, new) != (was, now):
                least, found = size, blobs
        return found

    def _adds_up(self, blobs: Sequence[str], sign: int) -> bool:
        """Whether the lines that came and went may be the same; so it is where something cannot be read."""
        sums = [self.tallies.get(blob) if blob.strip("0") else 0 for blob in blobs]
        if None in sums:
            return True
        old, new, was, now = (number or 0 for number in sums)
        return new - old == sign * (now - was)

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
        if inverse:
            theirs = tuple([None if size is None else -size for size in theirs])
        if ours == theirs:
            return True
        if not slack and None not in ours and None not in theirs:
            return False
        return all(a is None or b is None or abs(a - b) <= slack for a, b in zip(ours, theirs, strict=True))
