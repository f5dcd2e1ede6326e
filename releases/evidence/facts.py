"""What is known of one commit: metadata, changed paths, and fingerprints of its patch. No I/O.

`Facts` come from one read of metadata and raw changes; `Content` from the patch itself, and only where needed.
Everything here follows from the object id alone, so it may be kept for ever under FINGERPRINTS.
"""

from __future__ import annotations

import re
import sys
import zlib
from collections import Counter
from dataclasses import dataclass
from hashlib import blake2b

from . import text

FINGERPRINTS = 1
"""Version of everything computed here; facts kept under another version are thrown away."""
MAX_LINES = 4000
"""Changed lines above which a patch is compared by its fingerprints alone: similarity of giants proves little."""
PATCH_LIMIT = 24 << 20
"""Bytes of one patch that are looked at; a larger one is compared by its raw changes alone."""
LARGE = 1 << 20
"""Bytes of a patch whose text is not held."""
_BLANKS = b" \t\r\f\v"
_SIGNS = bytes(code for code in range(128) if not chr(code).isalnum())
_CHANGED = re.compile(rb"^[+-][^\n]*", re.MULTILINE)
MAX_SIZED = 60
"""Paths up to which a commit keeps the ids of its blobs."""
_IDS = re.compile(rb" ([0-9a-f]{40,64}) ([0-9a-f]{40,64}) ")
_INDEX = re.compile(rb"\nindex [^\n]*\n--- ")
PACKED = 16 << 10
"""Bytes of raw changes from which they are held compressed."""


@dataclass(slots=True)
class Facts:
    """One commit as read from git without looking into files. What few commits need is computed when asked for."""

    sha: str
    parents: tuple[str, ...]
    author_name: str
    author_email: str
    authored_at: int
    committed_at: int
    subject: str
    key: str
    """The normalised subject."""
    header: bytes
    """Fingerprint of paths and modes; empty when nothing changed (or for a merge)."""
    changes: bytes = b""
    """The raw changes as git prints them; large ones compressed."""
    said: str = ""
    """The message, when it may name other commits; else empty."""
    body: str | None = None
    """The whole message, where it was asked for."""
    _paths: tuple[str, ...] | None = None

    @property
    def is_merge(self) -> bool:
        return len(self.parents) > 1

    @property
    def empty(self) -> bool:
        """Changes nothing (a merge's own changes are not looked at here)."""
        return not self.header

    @property
    def author_key(self) -> tuple[str, int]:
        return self.author_email, self.authored_at

    @property
    def raw_changes(self) -> bytes:
        return zlib.decompress(self.changes) if self.changes[:1] != b":" and self.changes else self.changes

    @property
    def paths(self) -> tuple[str, ...]:
        """Changed paths as git prints them; none for a merge."""
        if self._paths is None:
            lines = self.raw_changes.split(b"\n")
            self._paths = tuple([sys.intern(_text(line[line.index(b"\t") + 1 :])) for line in lines if line])
        return self._paths

    @property
    def statuses(self) -> list[tuple[str, str]]:
        """(A, M, D or T, path) of each changed path."""
        letters = [line[: line.index(b"\t")][-1:].decode() for line in self.raw_changes.split(b"\n") if line]
        return list(zip(letters, self.paths, strict=True))

    @property
    def inverse_header(self) -> bytes:
        """The header its exact undoing would have."""
        if not self.header:
            return b""
        lines = _IDS.sub(b" ", self.raw_changes).split(b"\n")
        return digest(b"\n".join([_turned(line) for line in lines]))

    @property
    def raw(self) -> bytes:
        """Fingerprint of paths, modes and blob ids: equal ones make equal patches."""
        return digest(self.raw_changes) if self.header else b""

    @property
    def inverse_raw(self) -> bytes:
        """The raw fingerprint of the exact undoing."""
        return digest(b"\n".join([_turned(line) for line in self.raw_changes.split(b"\n")])) if self.header else b""

    @property
    def wide(self) -> bool:
        """Touches so many paths that its patch is worth reading for exact identity only."""
        return self.changes[:1] != b":" or len(self.changes) > MAX_SIZED * 120

    @property
    def blobs(self) -> list[tuple[str, str]]:
        """Old and new blob id of each path; empty for commits of very many paths."""
        if self.wide:
            return []
        return [(old.decode(), new.decode()) for old, new in _IDS.findall(self.raw_changes)]

    @property
    def requests(self) -> tuple[str, ...]:
        """Numbers of the merge requests that the subject names behind; its own is the last."""
        return text.requests(self.subject) if self.subject[-1:] in ").…" and self.subject else ()

    @property
    def links(self) -> tuple[str, ...]:
        """Ids, maybe abbreviated, of commits that the message calls the origin."""
        return text.links(self.said) if self.said else ()

    @property
    def reverts(self) -> tuple[str, ...]:
        """Ids, maybe abbreviated, of commits that the message says it undoes."""
        return text.reverts(self.said) if "evert" in self.said else ()

    @property
    def change_id(self) -> str:
        return text.change_id(self.said) if "hange-" in self.said else ""


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")


def _turned(line: bytes) -> bytes:
    """A raw change with old and new side exchanged, its status with them."""
    if not line:
        return line
    change, _, path = line.partition(b"\t")
    parts = change[1:].split(b" ")
    turned = [parts[1], parts[0], *(parts[3:1:-1] if len(parts) == 5 else [])]
    status = {b"A": b"D", b"D": b"A"}.get(parts[-1], parts[-1])
    return b":" + b" ".join([*turned, status]) + b"\t" + path


def digest(data: bytes) -> bytes:
    return blake2b(data, digest_size=12).digest()


class Names:
    """Keeps one copy of every path and e-mail address."""

    def __init__(self) -> None:
        self._kept: dict[bytes, str] = {}

    def of(self, raw: bytes) -> str:
        kept = self._kept.get(raw)
        if kept is None:
            kept = self._kept[raw] = raw.decode("utf-8", "replace")
        return kept


def read_facts(fields: list[bytes], raw: bytes, names: Names, *, body: bool) -> Facts:
    """Make facts of one record (see releases.git.objects.FIELDS)."""
    sha, parents, name, email, authored, committed, subject, message = fields
    title = subject.decode("utf-8", "replace")
    said = message.decode("utf-8", "replace") if body or text.may_link(message.lower()) else ""
    raw = raw.strip(b"\n")
    return Facts(
        sha.decode("ascii"), tuple(parents.decode("ascii").split()), names.of(name), names.of(email.lower()),
        _int(authored), _int(committed), title, text.normal_subject(title),
        digest(_IDS.sub(b" ", raw)) if raw else b"",
        raw if len(raw) < PACKED else zlib.compress(raw, 1),
        said if text.may_link(message.lower()) else "", said if body else None,
    )  # fmt: skip


def _int(value: bytes) -> int:
    try:
        return int(value)
    except ValueError:
        return 0


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
        "_changed", "_changes", "_exact", "_inverse", "_lines", "_lines_id", "_patch", "_patch_id", "_weight",
        "readable",
    )  # fmt: skip

    def __init__(self, patch: bytes, *, readable: bool = True, lines: Counter[bytes] | None = None) -> None:
        self.readable = readable
        self._patch = patch
        self._inverse = b""
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
    get = large.get
    return sum(min(count, get(line, 0)) for line, count in small.items())


def contained(part: Content, whole: Content | Counter[bytes]) -> float | None:
    """Share of the changed lines of `part` that `whole` has too; None when it was not measured."""
    lines = whole.lines if isinstance(whole, Content) else whole
    if part.lines is None or lines is None:
        return None
    total = part.lines.total()
    return _common(part.lines, lines) / total if total else None
