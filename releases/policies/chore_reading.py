"""Find the chores among fixes, reading as few patches as possible."""

from __future__ import annotations

from collections.abc import Iterable

from releases.evidence.history import History
from releases.git import objects

from .chores import LineChange, could_be_chore, is_chore, needs_lines
from .flow import FlowPolicy

LIMIT = 1 << 20
"""Bytes above which a patch surely is more than a version bump."""


def chore_commits(history: History, shas: Iterable[str], policy: FlowPolicy) -> set[str]:
    """Which of these commits change nothing but versions, changelogs and translations."""
    listed = list(dict.fromkeys(shas))
    history.prefetch(listed)
    found: set[str] = set()
    to_read: list[str] = []
    for sha in listed:
        facts = history.known(sha)
        if facts is None or facts.is_merge or not could_be_chore(facts.subject, facts.paths, policy):
            continue
        if needs_lines(facts.paths, policy):
            to_read.append(sha)
        else:
            found.add(sha)
    if to_read:
        unreadable: set[str] = set()
        for sha, patch, cut in objects.patches(history.git_dir, to_read, unreadable.add, LIMIT):
            facts = history.known(sha)
            if facts is not None and not cut and is_chore(facts.subject, line_changes(patch, facts.paths), policy):
                found.add(sha)
    return found


def line_changes(patch: bytes, paths: tuple[str, ...]) -> dict[str, LineChange | None]:
    """Changed lines by path; None for what is not text. Sections come in the order of the raw changes."""
    sections = (b"\n" + patch).split(b"\ndiff --git ")[1:]
    if len(sections) != len(paths):
        return dict.fromkeys(paths)
    return {path: _change(section) for path, section in zip(paths, sections, strict=True)}


def _change(section: bytes) -> LineChange | None:
    start = section.find(b"\n@@ ")
    if start < 0:
        return None
    lines = section[start + 1 :].decode("utf-8", "replace").split("\n")
    removed = tuple(line[1:] for line in lines if line.startswith("-"))
    added = tuple(line[1:] for line in lines if line.startswith("+"))
    return LineChange(removed, added)
