"""Trees taken apart and put together: only those on the way to what changes are read and written."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import translate

from .errors import Corrupt

FOLDER = b"40000"


@dataclass(frozen=True, slots=True)
class TreeEntry:
    """One name in a tree: mode as git writes it, and the object id."""

    mode: bytes
    sha: str

    @property
    def is_tree(self) -> bool:
        return self.mode == FOLDER


Entries = dict[bytes, TreeEntry]
Change = tuple[TreeEntry, TreeEntry]
ReadTree = Callable[[str], bytes]
WriteTree = Callable[[bytes], str]


def parse_tree(data: bytes, width: int) -> Entries:
    """Entries by name; `width` is the length of an object id in bytes. Raises Corrupt."""
    entries: Entries = {}
    at = 0
    while at < len(data):
        space = data.find(b" ", at)
        end = data.find(b"\0", space)
        if space < 0 or end < 0 or end + 1 + width > len(data):
            raise Corrupt(detail="a tree is cut short")
        entries[data[space + 1 : end]] = TreeEntry(data[at:space], data[end + 1 : end + 1 + width].hex())
        at = end + 1 + width
    return entries


def compose_tree(entries: Mapping[bytes, TreeEntry]) -> bytes:
    """The raw tree, in git's order: folders sort as if their names ended in a slash."""
    ordered = sorted(entries.items(), key=lambda item: item[0] + b"/" if item[1].is_tree else item[0])
    return b"".join(b"%s %s\0%s" % (entry.mode, name, bytes.fromhex(entry.sha)) for name, entry in ordered)


def differing(
    read: ReadTree, one: str, other: str, width: int, prefix: bytes = b""
) -> Iterator[tuple[bytes, TreeEntry | None, TreeEntry | None]]:
    """Every file that differs: (path, what the one has, what the other has). Equal folders are not read."""
    if one == other:
        return
    mine = parse_tree(read(one), width) if one else {}
    theirs = parse_tree(read(other), width) if other else {}
    for name in sorted(mine.keys() | theirs.keys()):
        left, right = mine.get(name), theirs.get(name)
        if left == right:
            continue
        path = prefix + name
        file_left, file_right = _file(left), _file(right)
        if file_left != file_right:
            yield path, file_left, file_right
        if (left and left.is_tree) or (right and right.is_tree):
            yield from differing(read, _folder(left), _folder(right), width, path + b"/")


def _file(entry: TreeEntry | None) -> TreeEntry | None:
    return None if entry is None or entry.is_tree else entry


def _folder(entry: TreeEntry | None) -> str:
    return entry.sha if entry is not None and entry.is_tree else ""


def replaced(read: ReadTree, write: WriteTree, tree: str, changes: Mapping[bytes, TreeEntry | None], width: int) -> str:
    """The tree with these paths set, or removed where None; folders that end up empty go. Empty: nothing is left."""
    entries = parse_tree(read(tree), width) if tree else {}
    below: dict[bytes, dict[bytes, TreeEntry | None]] = {}
    for path, entry in changes.items():
        name, slash, rest = path.partition(b"/")
        if slash:
            below.setdefault(name, {})[rest] = entry
        elif entry is None:
            entries.pop(name, None)
        else:
            entries[name] = entry
    for name, inner in below.items():
        changed = replaced(read, write, _folder(entries.get(name)), inner, width)
        if changed:
            entries[name] = TreeEntry(FOLDER, changed)
        elif _folder(entries.get(name)):
            del entries[name]
    return write(compose_tree(entries)) if entries else ""


def find(read: ReadTree, tree: str, path: bytes, width: int) -> TreeEntry | None:
    """The entry at a path; None when there is none."""
    *folders, name = path.split(b"/")
    for folder in folders:
        entry = parse_tree(read(tree), width).get(folder)
        if entry is None or not entry.is_tree:
            return None
        tree = entry.sha
    return parse_tree(read(tree), width).get(name)


def modifications(read: ReadTree, base: str, other: str, width: int, most: int) -> dict[bytes, Change] | None:
    """What every file was and became, where files were only modified; None where any came, went or were too many.

    Nobody can rename a file without that, so a merge of such a change needs no look at similarities.
    """
    found: dict[bytes, Change] = {}
    for path, before, after in differing(read, base, other, width):
        if before is None or after is None or len(found) >= most:
            return None
        found[path] = (before, after)
    return found


def path_matches(path: bytes, globs: Sequence[str]) -> bool:
    """Whether a glob names this path: one without a slash is about the name alone, any other about the whole path."""
    text = path.decode("utf-8", "surrogateescape")
    name = text.rpartition("/")[2]
    return any(_pattern(glob).match(text if "/" in glob else name) for glob in globs)


@functools.lru_cache(maxsize=256)
def _pattern(glob: str) -> re.Pattern[str]:
    return re.compile(translate(glob.removeprefix("/").replace("/**", "/*")))
