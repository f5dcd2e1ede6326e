"""Patches as rows for a page: parsed within bounds, made harmless to look at, and compared with each other.

Pure functions over text that git printed; nothing here runs git.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from difflib import SequenceMatcher

MAX_FILES = 60
MAX_LINES = 1_500
"""Lines of all files together that a page shows."""
MAX_WIDTH = 500
"""Characters of one line that a page shows."""
MAX_COMPARED = 1_200
"""Changed lines per side beyond which two patches are not compared line by line."""

_HUNK = re.compile(r"^@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@(.*)$")
_INVISIBLE = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]")


def visible(text: str, limit: int = 0) -> str:
    """`text` with control and direction characters spelled out, cut to `limit` characters when given.

    A direction character could make a page show code or a name in another order than a machine reads it.
    """
    if limit and len(text) > limit:
        text = text[: limit - 1] + "…"
    if text.isascii() and text.isprintable():
        return text
    return _INVISIBLE.sub(lambda found: f"⟨U+{ord(found[0]):04X}⟩", text)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a hunk. `kind` is "add", "del" or "" for context; numbers are None where there is none."""

    kind: str
    old: int | None
    new: int | None
    text: str

    @property
    def sign(self) -> str:
        return {"add": "+", "del": "−"}.get(self.kind, "")


@dataclass(slots=True)
class Hunk:
    header: str
    lines: list[Line] = field(default_factory=list)


@dataclass(slots=True)
class FilePatch:
    """What a patch does to one file."""

    path: str
    old_path: str = ""
    """Where it came from, when it was renamed or copied."""
    note: str = ""
    """In words what the hunks cannot show: new file, removed, mode change, binary, submodule."""
    added: int = 0
    removed: int = 0
    hunks: list[Hunk] = field(default_factory=list)
    cut: bool = False
    """Lines beyond the bound were left out."""


@dataclass(slots=True)
class Patch:
    files: list[FilePatch] = field(default_factory=list)
    cut: bool = False
    """Files or lines beyond the bound were left out."""

    @property
    def added(self) -> int:
        return sum(file.added for file in self.files)

    @property
    def removed(self) -> int:
        return sum(file.removed for file in self.files)


class _Reader:
    """Reads one unified diff; counts everything, keeps lines only within the bounds."""

    def __init__(self, max_files: int, max_lines: int) -> None:
        self.patch = Patch()
        self._max_files, self._left = max_files, max_lines
        self._file: FilePatch | None = None
        self._in_hunk = False
        self._old = self._new = 0

    def read(self, line: str) -> None:
        if line.startswith("diff --git "):
            self._start(line)
        elif self._file is None:
            return
        elif self._in_hunk and line[:1] in ("+", "-", " "):
            self._body(line)
        elif match := _HUNK.match(line):
            self._hunk(match)
        elif not self._in_hunk:
            self._header(self._file, line)

    def _start(self, line: str) -> None:
        self._in_hunk = False
        if len(self.patch.files) >= self._max_files:
            self.patch.cut, self._file = True, None
            return
        # Paths with spaces make this line ambiguous; the lines below name them again, this is the fallback.
        half = line[len("diff --git ") :]
        self._file = FilePatch(path=visible(_unprefixed(half[len(half) // 2 + 1 :])))
        self.patch.files.append(self._file)

    def _header(self, file: FilePatch, line: str) -> None:
        word, _, rest = line.partition(" ")
        if word in ("---", "+++"):
            name = rest.partition("\t")[0]
            if name != "/dev/null":
                file.path = visible(_unprefixed(name))
        elif line.startswith(("rename from ", "copy from ")):
            file.old_path = visible(_unquoted(line.split(" ", 2)[2]))
        elif line.startswith(("rename to ", "copy to ")):
            file.path = visible(_unquoted(line.split(" ", 2)[2]))
        elif line.startswith("new file mode "):
            file.note = "submodule" if line.endswith("160000") else "new file"
        elif line.startswith("deleted file mode "):
            file.note = "removed"
        elif line.startswith("new mode "):
            file.note = f"mode {line[9:].strip()}"
        elif line.startswith(("Binary files ", "GIT binary patch")):
            file.note = f"{file.note}, binary".lstrip(", ")

    def _hunk(self, match: re.Match[str]) -> None:
        assert self._file is not None  # noqa: S101 - the caller looked
        self._in_hunk = True
        self._old, self._new = int(match[1]), int(match[2])
        if self._left > 0:
            place = f"@@ −{match[1]} +{match[2]} @@{visible(match[3], MAX_WIDTH)}"
            self._file.hunks.append(Hunk(place))
        else:
            self._file.cut = self.patch.cut = True

    def _body(self, line: str) -> None:
        assert self._file is not None  # noqa: S101 - the caller looked
        kind = {"+": "add", "-": "del"}.get(line[0], "")
        self._file.added += kind == "add"
        self._file.removed += kind == "del"
        old, new = (None if kind == "add" else self._old), (None if kind == "del" else self._new)
        self._old += kind != "add"
        self._new += kind != "del"
        if self._left > 0 and self._file.hunks:
            self._file.hunks[-1].lines.append(Line(kind, old, new, visible(line[1:], MAX_WIDTH)))
            self._left -= 1
        else:
            self._file.cut = self.patch.cut = True


def read_patch(text: str, max_files: int = MAX_FILES, max_lines: int = MAX_LINES) -> Patch:
    """Parse the output of `git diff` or `git show`; text before the first file is skipped."""
    reader = _Reader(max_files, max_lines)
    for line in text.split("\n"):
        reader.read(line.removesuffix("\r") if line.startswith(("diff ", "---", "+++", "@@")) else line)
    return reader.patch


def _unquoted(name: str) -> str:
    """A path as git prints it: strange ones stand in quotes with C escapes."""
    if len(name) < 2 or not (name.startswith('"') and name.endswith('"')):
        return name
    inner = re.sub(r"\\([0-7]{3}|.)", _unescape, name[1:-1])
    return inner.encode("latin-1", "replace").decode("utf-8", "replace")


def _unescape(match: re.Match[str]) -> str:
    code = match[1]
    if code.isdigit():
        return chr(int(code, 8))
    return {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}.get(code, code)


def _unprefixed(name: str) -> str:
    name = _unquoted(name.strip())
    return name[2:] if name[:2] in ("a/", "b/") else name


@dataclass(frozen=True, slots=True)
class Difference:
    """How the patch of a fix differs from the patch of its counterpart: what only one of them changes."""

    files: tuple[FilePatch, ...]
    same: int
    """Changed lines that both have."""
    only_fix: int
    only_counterpart: int
    too_large: bool = False

    @property
    def alike(self) -> bool:
        return not self.too_large and not self.only_fix and not self.only_counterpart


def patch_difference(fix: str, counterpart: str) -> Difference:
    """Compare two patches by the lines they change, file by file, wherever in the file they stand.

    In the result a line of kind "del" is in the fix only, "add" in the counterpart only; its text begins with
    the sign it has in its own patch.
    """
    ours, theirs = _changes(fix), _changes(counterpart)
    if max(_size(ours), _size(theirs)) > MAX_COMPARED:
        return Difference((), 0, 0, 0, too_large=True)
    files, same, left, right = [], 0, 0, 0
    for path in list(ours) + [path for path in theirs if path not in ours]:
        file = FilePatch(path=path)
        equal = _compare(file, ours.get(path, []), theirs.get(path, []))
        same, left, right = same + equal, left + file.removed, right + file.added
        if file.hunks:
            files.append(file)
    return Difference(tuple(files), same, left, right)


def _changes(text: str) -> dict[str, list[str]]:
    """By path, the added and removed lines with their sign, in order."""
    patch = read_patch(text, max_files=MAX_COMPARED, max_lines=MAX_COMPARED * 12)
    changes = {}
    for file in patch.files:
        kept = (line for hunk in file.hunks for line in hunk.lines if line.kind)
        lines = [f"{'+' if line.kind == 'add' else '-'}{line.text}" for line in kept]
        changes[file.path] = lines or ([f"({file.note})"] if file.note else [])
    return changes


def _size(changes: dict[str, list[str]]) -> int:
    return sum(len(lines) for lines in changes.values())


def _compare(file: FilePatch, ours: list[str], theirs: list[str]) -> int:
    """Fill `file` with what differs, a little of what is equal around it; return how many lines are equal."""
    equal = 0
    for tag, a, b, c, d in SequenceMatcher(None, ours, theirs, autojunk=False).get_opcodes():
        if tag == "equal":
            equal += b - a
            continue
        before = [Line("", None, None, text) for text in ours[max(0, a - 2) : a]]
        hunk = Hunk("", before)
        hunk.lines += [Line("del", None, None, text) for text in ours[a:b]]
        hunk.lines += [Line("add", None, None, text) for text in theirs[c:d]]
        hunk.lines += [Line("", None, None, text) for text in ours[b : b + 1]]
        file.removed += b - a
        file.added += d - c
        file.hunks.append(hunk)
    return equal
