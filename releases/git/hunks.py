"""Conflict hunks: what the markers of a trial merge say, cut to what a person can read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

MAX_HUNKS = 4
"""Hunks kept per file."""
MAX_LINES = 24
"""Lines kept per side of a hunk."""
MAX_LINE = 240
"""Characters kept per line."""
CONTEXT = 3
"""Lines shown before and after."""


@dataclass(frozen=True, slots=True)
class ConflictHunk:
    """One place where both sides changed the same lines."""

    path: str
    line: int
    """Where it begins in the target's file, counted from 1."""
    ours: tuple[str, ...]
    """The target's lines."""
    theirs: tuple[str, ...]
    """The fix's lines."""
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()

    def as_data(self) -> dict[str, Any]:
        return {
            "path": self.path,
            "line": self.line,
            "before": list(self.before),
            "ours": list(self.ours),
            "theirs": list(self.theirs),
            "after": list(self.after),
        }


def conflict_hunks(path: str, content: bytes) -> list[ConflictHunk]:
    """The hunks between conflict markers in a merged file; none when it is binary or unmarked."""
    if b"\0" in content[:8000] or b"<<<<<<< " not in content:
        return []
    lines = content.decode("utf-8", "replace").split("\n")
    hunks: list[ConflictHunk] = []
    number = 1
    position = 0
    while position < len(lines) and len(hunks) < MAX_HUNKS:
        if not lines[position].startswith("<<<<<<< "):
            number += 1
            position += 1
            continue
        found = _sides(lines, position)
        if found is None:
            break
        middle, end = found
        ours, theirs = lines[position + 1 : middle], lines[middle + 1 : end]
        before = lines[max(0, position - CONTEXT) : position]
        after = lines[end + 1 : end + 1 + CONTEXT]
        hunks.append(ConflictHunk(path, number, _cut(ours), _cut(theirs), _cut(before), _cut(after)))
        number += len(ours)
        position = end + 1
    return hunks


def _sides(lines: list[str], start: int) -> tuple[int, int] | None:
    """Where the separator and the end marker of the conflict stand that begins at `start`."""
    middle = next((i for i in range(start + 1, len(lines)) if lines[i] == "======="), None)
    if middle is None:
        return None
    end = next((i for i in range(middle + 1, len(lines)) if lines[i].startswith(">>>>>>> ")), None)
    return None if end is None else (middle, end)


def _cut(lines: list[str]) -> tuple[str, ...]:
    kept = [line if len(line) <= MAX_LINE else line[:MAX_LINE] + "…" for line in lines[:MAX_LINES]]
    if len(lines) > MAX_LINES:
        kept.append(f"… {len(lines) - MAX_LINES} more lines")
    return tuple(kept)
