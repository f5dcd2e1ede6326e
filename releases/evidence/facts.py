"""What is known of one commit: metadata, changed paths, and fingerprints of its patch. No I/O.

`Facts` come from one read of metadata and raw changes; `Content` from the patch itself, and only where needed.
Everything here follows from the object id alone, so it may be kept for ever under FINGERPRINTS.
"""

from __future__ import annotations

import re
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
_BLANKS = b" \t\r\f\v"
_ALL_BLANKS = _BLANKS + b"\n"
_SIGNS = bytes(code for code in range(128) if not chr(code).isalnum())
_HUNK = re.compile(rb"^@@ [^\n]*\n", re.MULTILINE)
_CHANGED = re.compile(rb"^[+-][^\n]*", re.MULTILINE)
MAX_SIZED = 60
"""Paths up to which a commit keeps the ids of its blobs."""
_RAW = re.compile(rb"^:(\d+) (\d+) ([0-9a-f]+) ([0-9a-f]+) [^\t]*\t([^\n]*)", re.MULTILINE)


@dataclass(slots=True)
class Facts:
    """One commit as read from git without looking into files."""

    sha: str
    parents: tuple[str, ...]
    author_name: str
    author_email: str
    authored_at: int
    committed_at: int
    subject: str
    key: str
    """The normalised subject."""
    paths: tuple[str, ...]
    """Changed paths as git prints them; none for a merge."""
    header: bytes
    """Fingerprint of paths and modes; empty when nothing changed."""
    inverse_header: bytes
    """The header its exact undoing would have."""
    raw: bytes
    """Fingerprint of paths, modes and blob ids: equal ones make equal patches."""
    inverse_raw: bytes
    blobs: bytes = b""
    """Old and new blob ids of each path, as hex separated by spaces; empty for commits of very many paths."""
    links: tuple[str, ...] = ()
    reverts: tuple[str, ...] = ()
    change_id: str = ""
    body: str | None = None
    """The whole message, where it was asked for."""

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
    said = message.decode("utf-8", "replace")
    paths, header, inverse_header, raw_id, inverse_raw, blobs = _changes(raw, names)
    linked = text.may_link(said.lower())
    return Facts(
        sha.decode("ascii"), tuple(parents.decode("ascii").split()), names.of(name), names.of(email.lower()),
        _int(authored), _int(committed), title, text.normal_subject(title),
        paths, header, inverse_header, raw_id, inverse_raw, blobs,
        text.links(said) if linked else (), text.reverts(said) if linked else (),
        text.change_id(said) if linked else "", said if body else None,
    )  # fmt: skip


def _int(value: bytes) -> int:
    try:
        return int(value)
    except ValueError:
        return 0


def _changes(raw: bytes, names: Names) -> tuple[tuple[str, ...], bytes, bytes, bytes, bytes, bytes]:
    """Paths, header, inverse header, raw id, inverse raw id and blob ids of `:old new blob blob X<TAB>path` lines."""
    found = _RAW.findall(raw)
    if not found:
        return (), b"", b"", b"", b"", b""
    modes = b"\n".join([old + new + path for old, new, _, _, path in found])
    if all(old == new for old, new, _, _, _ in found):
        header = inverse = digest(modes)
    else:
        header, inverse = digest(modes), digest(b"\n".join([new + old + path for old, new, _, _, path in found]))
    before = b" ".join([item[2] for item in found])
    after = b" ".join([item[3] for item in found])
    return (
        tuple([names.of(item[4]) for item in found]), header, inverse,
        digest(header + before + b"\0" + after),
        digest(inverse + after + b"\0" + before),
        before + b" " + after if len(found) <= MAX_SIZED else b"",
    )  # fmt: skip


@dataclass(slots=True)
class Change:
    """The changed lines of one file."""

    name: bytes
    """The `a/path b/path` of the patch and its modes."""
    back: bytes
    """The same as the opposite change would print it."""
    removed: list[bytes]
    added: list[bytes]


@dataclass(slots=True)
class Content:
    """Fingerprints of a patch, and its changed lines unless it is a giant."""

    patch_id: bytes
    """Equal for equal patches, line numbers and blanks aside (as `git patch-id`)."""
    lines_id: bytes
    """Equal for equal changed lines per file, whatever stands around them."""
    changed: int = 0
    """Changed lines."""
    weight: int = 0
    """Letters and digits in distinct changed lines: how telling the lines are."""
    changes: list[Change] | None = None
    """None for giants and for what was kept from an earlier run."""
    readable: bool = True
    _lines: Counter[bytes] | None = None

    @property
    def lines(self) -> Counter[bytes] | None:
        """Changed lines with sign and without indentation, counted; None when they are not at hand."""
        if self._lines is None and self.changes is not None:
            counts: Counter[bytes] = Counter()
            for change in self.changes:
                counts.update(b"-" + text for line in change.removed if (text := line.strip()))
                counts.update(b"+" + text for line in change.added if (text := line.strip()))
            self._lines = counts
        return self._lines

    @property
    def inverse_id(self) -> bytes:
        """The lines id that the exact undoing of this patch has; empty when the lines are not at hand."""
        if self.changes is None:
            return b""
        return _lines_id([(change.back, change.added, change.removed) for change in self.changes])[0]


UNREADABLE = Content(b"", b"", readable=False)


def read_content(patch: bytes, *, cut: bool = False) -> Content:
    """Fingerprints of one patch as `git diff-tree -p` prints it."""
    if cut:
        return UNREADABLE
    identity: list[bytes] = []
    changes: list[Change] = []
    changed = 0
    for section in (b"\n" + patch).split(b"\ndiff --git ")[1:]:
        start = section.find(b"\n@@ ")
        if start < 0:
            identity.append(section)
            changes.append(Change(section, _swapped(section), [], []))
            continue
        head, body = section[:start], section[start + 1 :]
        name = b"\n".join([line for line in head.split(b"\n") if not line.startswith((b"index ", b"--- ", b"+++ "))])
        marks = _CHANGED.findall(body)
        removed = [mark[1:] for mark in marks if mark[0] == 45]
        added = [mark[1:] for mark in marks if mark[0] == 43]
        changed += len(marks)
        identity += (name, _HUNK.sub(b"", body))
        changes.append(Change(name, name if b"\n" not in name else _swapped(name), removed, added))
    lines_id, strip = _lines_id([(change.name, change.removed, change.added) for change in changes])
    joined = b"\n".join(identity)
    return Content(
        digest(joined.translate(None, _BLANKS) if strip else joined),
        lines_id,
        changed,
        _weight(changes) if changed <= MAX_LINES else changed,
        changes if changed <= MAX_LINES else None,
    )


def _lines_id(files: list[tuple[bytes, list[bytes], list[bytes]]]) -> tuple[bytes, bool]:
    """Fingerprint of changed lines, and whether blanks were left out: not when they are all that changes."""
    parts: list[bytes] = []
    gone: list[bytes] = []
    come: list[bytes] = []
    for name, removed, added in files:
        minus, plus = b"\n".join(removed), b"\n".join(added)
        parts += (name, b"-", minus, b"+", plus)
        gone.append(minus)
        come.append(plus)
    strip = b"".join(gone).translate(None, _ALL_BLANKS) != b"".join(come).translate(None, _ALL_BLANKS)
    joined = b"\n".join(parts)
    return digest(joined.translate(None, _BLANKS) if strip else joined), strip


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
