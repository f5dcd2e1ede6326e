"""Find the chores among fixes, reading as few patches as possible."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import blake2b

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
    return found | _by_lines(history, to_read, policy)


def _by_lines(history: History, shas: Sequence[str], policy: FlowPolicy) -> set[str]:
    """Those of these commits whose lines make them chores; what was found of a commit is remembered."""
    patterns = repr((policy.chore_paths, policy.chore_subjects)).encode("utf-8", "surrogateescape")
    key = b"chores.1" + blake2b(patterns, digest_size=16).digest()
    kept = history.store.judgement(key) if history.store else None
    known: dict[str, bool] = kept if isinstance(kept, dict) else {}
    unknown = [sha for sha in shas if sha not in known]
    for sha, patch, cut in objects.patches(history.git_dir, unknown, lambda _sha: None, LIMIT):
        facts = history.known(sha)
        if facts is not None:
            known[sha] = not cut and is_chore(facts.subject, line_changes(patch, facts.paths), policy)
    if unknown and history.store:
        history.store.keep_judgement(key, lambda: known)
    return {sha for sha in shas if known.get(sha)}


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
