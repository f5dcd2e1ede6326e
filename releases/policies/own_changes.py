"""Merges that carry changes of their own: more than joining two lines and resolving where they met."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from releases.evidence.store import FactStore
from releases.git import objects, runner
from releases.git.errors import GitError
from releases.git.standing import LONG

LIMIT = 4 << 20
"""Bytes of one merge's own patch that are looked at; a merge with more surely has changes of its own."""
_KEY = b"own-changes.1"
_ID = re.compile(rb"[0-9a-f]{40}(?:[0-9a-f]{24})?\n\Z")
_MARKERS = (b"-<<<<<<< ", b"-||||||| ", b"->>>>>>> ")


def kept_own_changes(git_dir: Path, merges: Sequence[str], store: FactStore | None) -> set[str]:
    """The same as `merges_with_own_changes`, remembering what was found of each merge."""
    kept = store.judgement(_KEY) if store else None
    known: dict[str, bool] = kept if isinstance(kept, dict) else {}
    unknown = [sha for sha in merges if sha not in known]
    if unknown:
        unreadable: set[str] = set()
        found = merges_with_own_changes(git_dir, unknown, unreadable)
        known.update((sha, sha in found) for sha in unknown if sha not in unreadable)
        if store:
            store.keep_judgement(_KEY, lambda: known)
    return {sha for sha in merges if known.get(sha)}


def merges_with_own_changes(git_dir: Path, merges: Sequence[str], unreadable: set[str] | None = None) -> set[str]:
    """Which of these merges changed something that neither side brought, resolved conflicts aside.

    Only merges with a place that differs from all parents can; only those are merged again to compare. What cannot
    be read is added to `unreadable`.
    """
    unreadable = set() if unreadable is None else unreadable
    suspects = _suspects(git_dir, merges, unreadable) if merges else []
    if not suspects:
        return set()
    found = set()
    for sha, patch, cut in objects.merge_patches(git_dir, suspects, unreadable.add, LIMIT):
        if cut or has_own_changes(patch):
            found.add(sha)
    return found


def _suspects(git_dir: Path, merges: Sequence[str], unreadable: set[str]) -> list[str]:
    """The merges with a place in some file that is as in no parent; a tenth of those with such a file."""
    spec = "".join(f"{sha}\n" for sha in merges).encode()
    args = ["diff-tree", "--stdin", "--cc", "-p", "-r", "--always", *objects.DIFF]
    found: dict[str, None] = {}
    current = ""
    try:
        with runner.stream(args, git_dir=git_dir, stdin=spec, timeout=LONG) as flow:
            for line in flow:
                if _ID.match(line):
                    current = line.strip().decode("ascii")
                elif line.startswith(b"diff --"):
                    found[current] = None
    except GitError:
        touched = objects.touched_merges(git_dir, merges, unreadable.add)
        return [sha for sha in merges if sha in touched]
    return list(found)


def has_own_changes(patch: bytes) -> bool:
    """Does a merge's own patch (as `--remerge-diff` prints it) touch more than the places of conflicts?"""
    for section in (b"\n" + patch).split(b"\ndiff --git ")[1:]:
        head, *hunks = re.split(rb"\n(?=@@ )", section)
        if b"\nremerge CONFLICT" in head:
            hunks = [hunk for hunk in hunks if any(b"\n" + mark in hunk for mark in _MARKERS)]
        elif not hunks:
            return True
        if any(_outside_conflict(hunk) for hunk in hunks):
            return True
    return False


def _outside_conflict(hunk: bytes) -> bool:
    """Does a hunk change lines away from conflict markers? Lines that touch a conflict belong to its resolution."""
    runs = _runs(hunk.split(b"\n")[1:])
    return any(not any(line.startswith(_MARKERS) for line in run) for run in runs)


def _runs(lines: Sequence[bytes]) -> list[list[bytes]]:
    """Neighbouring changed lines, between lines of context."""
    runs: list[list[bytes]] = []
    open_run = False
    for line in lines:
        if line[:1] in (b"+", b"-"):
            if not open_run:
                runs.append([])
            runs[-1].append(line)
            open_run = True
        elif line[:1] == b" ":
            open_run = False
    return runs
