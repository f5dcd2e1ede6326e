"""Lines that a fix changed, changed otherwise somewhere else: so that bringing the fix there conflicts for sure.

Pure over contents, but for the reader that gives them.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence

from releases.git import trees
from releases.git.errors import MissingObject
from releases.git.reader import Reader

LARGEST = 1 << 20
"""Bytes of a file that is looked at."""
MOST_FILES = 3
SAID = "reworked for the next release"
_SIGNS = {
    "sql": "--", "lua": "--", "hs": "--", "c": "//", "h": "//", "cc": "//", "cpp": "//", "java": "//", "kt": "//",
    "js": "//", "ts": "//", "jsx": "//", "tsx": "//", "go": "//", "rs": "//", "swift": "//", "php": "//", "cs": "//",
    "scss": "//", "css": "/*", "html": "<!--", "xml": "<!--", "md": "<!--",
}  # fmt: skip
_ENDS = {"/*": " */", "<!--": " -->"}


def conflict_edits(
    reader: Reader, commits: Sequence[str], content: Callable[[str], bytes | None], leave: Sequence[str] = ()
) -> dict[str, bytes]:
    """New contents by path for a branch whose files `content` gives; empty when none of the fix's lines are there.

    `leave` are globs of files in which a branch keeps its own side: they never conflict.
    """
    edits: dict[str, bytes] = {}
    for path, before, after in _modified(reader, commits):
        there = content(path)
        if there is None or path in edits or trees.path_matches(path.encode("utf-8", "surrogateescape"), leave):
            continue
        changed = _reworked(before, after, there, path)
        if changed is not None:
            edits[path] = changed
        if len(edits) >= MOST_FILES:
            break
    return edits


def _modified(reader: Reader, commits: Sequence[str]) -> list[tuple[str, bytes, bytes]]:
    """Path, and what a file was and became, of the files that these commits changed; code before tests."""
    found = []
    for sha in commits:
        try:
            commit = reader.commit(sha)
            base = reader.commit(commit.parents[0]).tree if commit.parents else ""
        except MissingObject:
            continue
        for raw, was, became in trees.differing(reader.tree, base, commit.tree, len(commit.tree) // 2):
            if was is None or became is None or not was.mode.startswith(b"100"):
                continue
            before, after = reader.blob(was.sha, LARGEST), reader.blob(became.sha, LARGEST)
            if before is not None and after is not None and b"\0" not in before:
                found.append((raw.decode("utf-8", "surrogateescape"), before, after))
    return sorted(found, key=lambda item: "test" in item[0].lower())


def _reworked(before: bytes, after: bytes, there: bytes, path: str) -> bytes | None:
    """`there` with the lines that went from `before` to `after` changed in another way; None when it lacks them."""
    old, new, mine = (
        text.decode("utf-8", "surrogateescape").splitlines(keepends=True) for text in (before, after, there)
    )
    touched = False
    for tag, low, high, _new_low, _new_high in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag == "equal":
            continue
        # Of lines that are only added, the one before them marks the place.
        block = old[low:high] or old[max(0, low - 1) : low]
        at = _place(mine, block)
        if at is None:
            continue
        if low == high:
            mine[at : at + len(block)] = [*block, _line(block[-1], path)]
        else:
            mine[at : at + len(block)] = [_marked(line, path) for line in block]
        touched = True
    return "".join(mine).encode("utf-8", "surrogateescape") if touched else None


def _place(lines: Sequence[str], block: Sequence[str]) -> int | None:
    """Where the block stands, when it stands there once and says anything."""
    if not any(line.strip() for line in block):
        return None
    size = len(block)
    found = [at for at in range(len(lines) - size + 1) if list(lines[at : at + size]) == list(block)]
    return found[0] if len(found) == 1 else None


def _sign(path: str) -> tuple[str, str]:
    sign = _SIGNS.get(path.rpartition(".")[2].lower(), "#")
    return sign, _ENDS.get(sign, "")


def _marked(line: str, path: str) -> str:
    """A line that says the same, with a remark behind it; an empty one becomes the remark."""
    sign, end = _sign(path)
    text = line.rstrip("\r\n")
    return f"{text}{'  ' if text.strip() else ''}{sign} {SAID}{end}{line[len(text) :] or chr(10)}"


def _line(beside: str, path: str) -> str:
    """A line of its own below another one, as far indented."""
    sign, end = _sign(path)
    indent = beside[: len(beside) - len(beside.lstrip())].rstrip("\r\n")
    return f"{indent}{sign} {SAID}{end}\n"
