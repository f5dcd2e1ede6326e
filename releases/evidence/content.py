"""A commit's patch and its fingerprints, and how much two patches have in common. No I/O."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

from .facts import digest

MAX_LINES = 4000
"""Changed lines above which a patch is compared by its fingerprints alone: similarity of giants proves little."""
LARGE = 1 << 20
"""Bytes of a patch whose text is not held."""
_BLANKS = b" \t\r\f\v"
_SIGNS = bytes(code for code in range(128) if not chr(code).isalnum())
_CHANGED = re.compile(rb"^[+-][^\n]*", re.MULTILINE)
_INDEX = re.compile(rb"\nindex [^\n]*\n--- ")


@dataclass(slots=True)
class Change:
    """The changed lines of one file."""

    name: bytes
    """The `a/path b/path` of the patch and its modes."""
    back: bytes
    """The same as the opposite change would print it."""
    removed: list[bytes]
    added: list[bytes]


class Content:
    """A patch and its fingerprints, each computed when first asked for."""

    __slots__ = (
        "_blank", "_changed", "_changes", "_exact", "_inverse", "_lines", "_lines_id", "_patch", "_patch_id",
        "_weight", "readable",
    )  # fmt: skip

    def __init__(self, patch: bytes, *, readable: bool = True, lines: Counter[bytes] | None = None) -> None:
        self.readable = readable
        self._patch = patch
        self._inverse = b""
        self._blank: bool | None = None
        self._changed = -1
        self._weight = -1
        self._exact = b""
        self._patch_id = b""
        self._lines_id = b""
        self._changes: list[Change] | None = None
        self._lines = lines

    @property
    def exact_id(self) -> bytes:
        """Equal for equal patches, line numbers aside but blanks included."""
        if not self._exact:
            self._exact = digest(_without_places(self._patch))
        return self._exact

    @property
    def patch_id(self) -> bytes:
        """Equal for equal patches, line numbers and blanks aside (as `git patch-id`)."""
        if not self._patch_id:
            joined = _without_places(self._patch)
            stripped = not self.only_blanks
            self._patch_id = digest(joined.translate(None, _BLANKS) if stripped else joined)
        return self._patch_id

    @property
    def changes(self) -> list[Change]:
        if self._changes is None:
            self._changes = _read_changes(self._patch)
        return self._changes

    @property
    def size(self) -> int:
        """Bytes of text held."""
        return len(self._patch)

    @property
    def changed(self) -> int:
        """Changed lines."""
        if self._changed < 0:
            counted = self._lines is not None and not self._patch
            self._changed = (
                (self._lines or Counter()).total()
                if counted
                else sum(len(change.removed) + len(change.added) for change in self.changes)
            )
        return self._changed

    @property
    def weight(self) -> int:
        """Letters and digits in distinct changed lines: how telling the lines are."""
        if self._weight < 0:
            counted = self._lines is not None and not self._patch
            self._weight = (
                len(b"".join(self._lines or ()).translate(None, _SIGNS)) if counted else _weight(self.changes)
            )
        return self._weight

    def compact(self) -> None:
        """Compute every fingerprint and let go of the text."""
        if self._patch:
            self._compute()
            self._patch = b""
            self._changes = None

    def _compute(self) -> tuple[bytes, bytes, bytes, bytes, int, int]:
        return self.exact_id, self.patch_id, self.lines_id, self.inverse_id, self.changed, self.weight

    @property
    def only_blanks(self) -> bool:
        """Whether the patch changes nothing but blanks: then they count."""
        if self._blank is None:
            self._blank = self._changes_blanks()
        return self._blank

    def _changes_blanks(self) -> bool:
        gone = b"".join([line for change in self.changes for line in change.removed])
        come = b"".join([line for change in self.changes for line in change.added])
        return gone.translate(None, _BLANKS) == come.translate(None, _BLANKS)

    @property
    def lines_id(self) -> bytes:
        """Equal for equal changed lines per file, whatever stands around them."""
        if not self._lines_id:
            self._lines_id = _lines_id(
                [(change.name, change.removed, change.added) for change in self.changes], strip=not self.only_blanks
            )
        return self._lines_id

    @property
    def inverse_id(self) -> bytes:
        """The lines id that the exact undoing of this patch has."""
        if not self._inverse:
            turned = [(change.back, change.added, change.removed) for change in self.changes]
            self._inverse = _lines_id(turned, strip=not self.only_blanks)
        return self._inverse

    @property
    def lines(self) -> Counter[bytes] | None:
        """Changed lines with sign and without indentation, counted; None for giants."""
        if self._lines is None and self._patch and self.changed <= MAX_LINES:
            counts: Counter[bytes] = Counter()
            for change in self.changes:
                counts.update([b"-" + told for line in change.removed if (told := line.strip())])
                counts.update([b"+" + told for line in change.added if (told := line.strip())])
            self._lines = counts
        return self._lines

    def same_patch(self, other: Content) -> bool:
        return self.exact_id == other.exact_id or self.patch_id == other.patch_id


def tally(blob: bytes) -> int:
    """A sum over the lines of a file, blanks aside: a change adds to it what its lines alone say. Good for one run."""
    return sum(map(hash, blob.translate(None, _BLANKS).split(b"\n")))


UNREADABLE = Content(b"", readable=False)


def read_content(patch: bytes, *, cut: bool = False) -> Content:
    """One patch as `git diff-tree -p` prints it; one that was cut off cannot be compared."""
    if cut:
        return UNREADABLE
    content = Content(patch.strip(b"\n"))  # whether a newline ends it depends on its place in git's output
    if len(patch) > LARGE:
        content.compact()
    return content


def _without_places(patch: bytes) -> bytes:
    """The patch without line numbers and, but for binary files, without blob ids."""
    pieces = patch.split(b"\n@@ ")
    text_only = pieces[0] + b"".join([piece[piece.find(b"\n") :] for piece in pieces[1:]])
    if b"\nBinary files " in text_only:
        return _INDEX.sub(b"\n--- ", text_only)
    pieces = text_only.split(b"\nindex ")
    return pieces[0] + b"".join([piece[piece.find(b"\n") :] if b"\n" in piece else b"" for piece in pieces[1:]])


def _read_changes(patch: bytes) -> list[Change]:
    changes: list[Change] = []
    for section in (b"\n" + patch).split(b"\ndiff --git ")[1:]:
        start = section.find(b"\n@@ ")
        if start < 0:
            changes.append(Change(section, _swapped(section), [], []))
            continue
        head, body = section[:start], section[start + 1 :]
        name = b"\n".join([line for line in head.split(b"\n") if not line.startswith((b"index ", b"--- ", b"+++ "))])
        marks = _CHANGED.findall(body)
        removed = [mark[1:] for mark in marks if mark[0] == 45]
        added = [mark[1:] for mark in marks if mark[0] == 43]
        changes.append(Change(name, name if b"\n" not in name else _swapped(name), removed, added))
    return changes


def _lines_id(files: list[tuple[bytes, list[bytes], list[bytes]]], *, strip: bool) -> bytes:
    """Fingerprint of changed lines per file, blanks left out or not."""
    parts: list[bytes] = []
    for name, removed, added in files:
        parts += (name, b"-", *removed, b"+", *added)
    joined = b"\n".join(parts)
    return digest(joined.translate(None, _BLANKS) if strip else joined)


def _swapped(head: bytes) -> bytes:
    """File headers as the opposite change prints them."""
    out = []
    for line in head.split(b"\n"):
        for word, opposite in _OPPOSITES:
            if line.startswith(word):
                line = opposite + line[len(word) :]
                break
        if line.startswith(b"index ") and b".." in line:
            ids, _, mode = line[6:].partition(b" ")
            before, _, after = ids.partition(b"..")
            line = b"index " + after + b".." + before + (b" " + mode if mode else b"")
        out.append(line)
    for at in range(len(out) - 1):
        if out[at].startswith(b"new mode") and out[at + 1].startswith(b"old mode"):
            out[at], out[at + 1] = out[at + 1], out[at]
    return b"\n".join(out)


_OPPOSITES = (
    (b"new file mode", b"deleted file mode"),
    (b"deleted file mode", b"new file mode"),
    (b"old mode", b"new mode"),
    (b"new mode", b"old mode"),
)


def _weight(changes: list[Change]) -> int:
    distinct = {line for change in changes for line in change.removed[:200]}
    distinct.update(line for change in changes for line in change.added[:200])
    return len(b"".join(distinct).translate(None, _SIGNS))


def similarity(one: Content, other: Content) -> float | None:
    """Share of changed lines in common (Jaccard over lines with their counts); None when it was not measured."""
    if one.lines is None or other.lines is None:
        return None
    both = _common(one.lines, other.lines)
    union = one.lines.total() + other.lines.total() - both
    return both / union if union else None


def _common(one: Counter[bytes], other: Counter[bytes]) -> int:
    small, large = (one, other) if len(one) <= len(other) else (other, one)
    both = small.keys() & large.keys()
    return sum(map(min, map(small.__getitem__, both), map(large.__getitem__, both)))


def contained(part: Content, whole: Content | Counter[bytes]) -> float | None:
    """Share of the changed lines of `part` that `whole` has too; None when it was not measured."""
    lines = whole.lines if isinstance(whole, Content) else whole
    if part.lines is None or lines is None:
        return None
    total = part.lines.total()
    return _common(part.lines, lines) / total if total else None
