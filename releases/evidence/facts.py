"""What is known of one commit: metadata, changed paths, and fingerprints of its patch. No I/O.

`Facts` come from one read of metadata and raw changes; `Content` from the patch itself, and only where needed.
Everything here follows from the object id alone, so it may be kept for ever under FINGERPRINTS.
"""

from __future__ import annotations

import re
import sys
import zlib
from dataclasses import dataclass, field
from hashlib import blake2b

from . import text

FINGERPRINTS = 1
"""Version of everything computed here; facts kept under another version are thrown away."""
PATCH_LIMIT = 24 << 20
"""Bytes of one patch that are looked at; a larger one is compared by its raw changes alone."""
MAX_SIZED = 60
"""Paths up to which a commit keeps the ids of its blobs."""
_SIDES = re.compile(rb"^:(?!(\d{6}) \1 )(\d{6}) (\d{6}) (\w)(?=\t)", re.MULTILINE)
"""A change of modes, or of being there at all, in raw changes without blob ids."""
_MOVED = re.compile(rb"^:(?!(\d{6}) \1 )", re.MULTILINE)
_IDS = re.compile(rb" ([0-9a-f]{40,64}) ([0-9a-f]{40,64}) ")
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
    _inverse: bytes | None = None
    _path_set: frozenset[str] | None = field(default=None, init=False)
    _words: frozenset[str] | None = field(default=None, init=False)
    _links: tuple[str, ...] | None = field(default=None, init=False)
    _reverts: tuple[str, ...] | None = field(default=None, init=False)

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
            behind = self.raw_changes.decode("utf-8", "replace").split("\t")[1:]
            self._paths = tuple([sys.intern(path.partition("\n")[0]) for path in behind])
        return self._paths

    @property
    def path_set(self) -> frozenset[str]:
        """The same, for comparing."""
        if self._path_set is None:
            self._path_set = frozenset(self.paths)
        return self._path_set

    @property
    def words(self) -> frozenset[str]:
        """The words of the normalised subject."""
        if self._words is None:
            self._words = frozenset(self.key.split())
        return self._words

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
        if self._inverse is None:
            raw = self.raw_changes
            sided = _MOVED.search(raw) is not None
            self._inverse = digest(_SIDES.sub(_other_way, _without_ids(raw))) if sided else self.header
        return self._inverse

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

    def differing(self, other: Facts) -> list[str]:
        """Paths that another commit of the same header changes from or into other blobs."""
        ours, theirs = self.raw_changes.split(b"\n"), other.raw_changes.split(b"\n")
        return [path for path, one, two in zip(self.paths, ours, theirs, strict=True) if one != two]

    @property
    def requests(self) -> tuple[str, ...]:
        """Numbers of the merge requests that the subject names behind; its own is the last."""
        return text.requests(self.subject) if self.subject[-1:] in ").…" and self.subject else ()

    @property
    def links(self) -> tuple[str, ...]:
        """Ids, maybe abbreviated, of commits that the message calls the origin."""
        if self._links is None:
            self._links = text.links(self.said) if self.said else ()
        return self._links

    @property
    def reverts(self) -> tuple[str, ...]:
        """Ids, maybe abbreviated, of commits that the message says it undoes."""
        if self._reverts is None:
            self._reverts = text.reverts(self.said) if "evert" in self.said else ()
        return self._reverts

    @property
    def change_id(self) -> str:
        return text.change_id(self.said) if "hange-" in self.said else ""


def _without_ids(raw: bytes) -> bytes:
    """Raw changes without blob ids."""
    words = raw.split(b" ")
    if len(words) != 4 * raw.count(b"\n") + 5:  # a path has spaces, too
        return _IDS.sub(b" ", raw)
    del words[2::4]  # what is left of four words is every third from here on
    del words[2::3]
    return b" ".join(words)


def _other_way(match: re.Match[bytes]) -> bytes:
    status = {b"A": b"D", b"D": b"A"}.get(match[4], match[4])
    return b":" + match[3] + b" " + match[2] + b" " + status


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
    links = text.may_link(message.lower())
    said = message.decode("utf-8", "replace") if body or links else ""
    raw = raw.strip(b"\n")
    return Facts(
        sha.decode("ascii"), tuple(parents.decode("ascii").split()), names.of(name), names.of(email.lower()),
        _int(authored), _int(committed), title, text.normal_subject(title),
        digest(_without_ids(raw)) if raw else b"",
        raw if len(raw) < PACKED else zlib.compress(raw, 1),
        said if links else "", said if body else None,
    )  # fmt: skip


def _int(value: bytes) -> int:
    try:
        return int(value)
    except ValueError:
        return 0
