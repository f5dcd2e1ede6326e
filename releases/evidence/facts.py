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
_HUNK = re.compile(rb"^@@ [^\n]*\n", re.MULTILINE)
_INDEX = re.compile(rb"^index [^\n]*\n", re.MULTILINE)
_CHANGED = re.compile(rb"^[+-][^\n]*", re.MULTILINE)
MAX_SIZED = 60
"""Paths up to which a commit keeps the ids of its blobs."""
_RAW = re.compile(rb"^:(\d+) (\d+) ([0-9a-f]+) ([0-9a-f]+) [^\t]*\t([^\n]*)", re.MULTILINE)
_WORD = re.compile(rb"\w+")


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
    linked = text.may_link(said)
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
class Content:
    """Fingerprints of a patch. `lines` counts changed lines by (path, sign, text) hash; None for giants."""

    patch_id: bytes
    """Equal for equal patches, line numbers and blanks aside (as `git patch-id`)."""
    lines_id: bytes
    """Equal for equal changed lines per file, whatever stands around them."""
    inverse_id: bytes
    """The lines id that the exact undoing of this patch has."""
    changed: int
    """Changed lines."""
    weight: int
    """Letters and digits in distinct changed lines: how telling the lines are."""
    lines: Counter[int] | None = None
    readable: bool = True


UNREADABLE = Content(b"", b"", b"", 0, 0, None, readable=False)


def read_content(patch: bytes, *, cut: bool = False) -> Content:
    """Fingerprints of one patch as `git diff-tree -p` prints it."""
    if cut:
        return UNREADABLE
    identity, forward, backward = [], [], []
    removed_all, added_all = [], []
    lines: list[bytes] = []
    changed = 0
    for section in (b"\n" + patch).split(b"\ndiff --git ")[1:]:
        start = section.find(b"\n@@ ")
        head, body = (section, b"") if start < 0 else (section[:start], section[start + 1 :])
        name = head.partition(b"\n")[0]
        modes = b"\n".join(line for line in head.split(b"\n") if b" mode " in line[:18])
        if not body:
            identity.append(head)
            forward.append(head)
            backward.append(_swapped(head))
            continue
        marks = _CHANGED.findall(body)
        removed = b"\n".join([mark[1:] for mark in marks if mark[:1] == b"-"])
        added = b"\n".join([mark[1:] for mark in marks if mark[:1] == b"+"])
        changed += len(marks)
        identity += (_INDEX.sub(b"", head + b"\n"), _HUNK.sub(b"", body))
        forward += (name, modes, b"-", removed, b"+", added)
        backward += (name, _swapped(modes), b"-", added, b"+", removed)
        removed_all.append(removed)
        added_all.append(added)
        if changed <= MAX_LINES:
            lines += [name + b"\0" + mark[:1] + mark[1:].strip() for mark in marks if len(mark) > 1]
    strip = _only_blanks(removed_all, added_all)
    return Content(
        _folded(identity, strip=strip), _folded(forward, strip=strip), _folded(backward, strip=strip),
        changed, _weight(lines), Counter(map(hash, lines)) if changed <= MAX_LINES else None,
    )  # fmt: skip


def _only_blanks(removed: list[bytes], added: list[bytes]) -> bool:
    """Whether blanks may be left out: not when they are all that this patch changes."""
    gone = b"".join(removed).translate(None, _BLANKS + b"\n")
    come = b"".join(added).translate(None, _BLANKS + b"\n")
    return gone != come


def _folded(parts: list[bytes], *, strip: bool) -> bytes:
    joined = b"\n".join(parts)
    return digest(joined.translate(None, _BLANKS) if strip else joined)


def _swapped(head: bytes) -> bytes:
    """File headers as the opposite change prints them."""
    out = []
    for line in head.split(b"\n"):
        if line.startswith(b"new file mode"):
            line = b"deleted" + line[3:]
        elif line.startswith(b"deleted file mode"):
            line = b"new" + line[7:]
        elif line.startswith(b"old mode"):
            line = b"new" + line[3:]
        elif line.startswith(b"new mode"):
            line = b"old" + line[3:]
        elif line.startswith(b"index ") and b".." in line:
            ids, _, mode = line[6:].partition(b" ")
            before, _, after = ids.partition(b"..")
            line = b"index " + after + b".." + before + (b" " + mode if mode else b"")
        out.append(line)
    old = [i for i, line in enumerate(out) if line.startswith((b"old mode", b"new mode"))]
    if len(old) == 2:
        out[old[0]], out[old[1]] = out[old[1]], out[old[0]]
    return b"\n".join(out)


def _weight(lines: list[bytes]) -> int:
    distinct = {line.partition(b"\0")[2][1:] for line in lines[:400]}
    return sum(len(word) for line in distinct for word in _WORD.findall(line))


def similarity(one: Content, other: Content) -> float | None:
    """Share of changed lines in common (Jaccard over lines with their counts); None when it was not measured."""
    if one.lines is None or other.lines is None:
        return None
    union = sum((one.lines | other.lines).values())
    return sum((one.lines & other.lines).values()) / union if union else 0.0


def contained(part: Content, whole: Content | Counter[int]) -> float | None:
    """Share of the changed lines of `part` that `whole` has too; None when it was not measured."""
    lines = whole.lines if isinstance(whole, Content) else whole
    if part.lines is None or lines is None:
        return None
    total = sum(part.lines.values())
    return sum((part.lines & lines).values()) / total if total else 0.0
