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
    """Which of these commits change nothing but versions, changelogs and translations.

    What was found of a commit is remembered for as long as the policy's patterns stay.
    """
    listed = list(dict.fromkeys(shas))
    names = (policy.chore_paths, policy.version_files, policy.chore_subjects)
    patterns = repr(names).encode("utf-8", "surrogateescape")
    key = b"chores.1" + blake2b(patterns, digest_size=16).digest()
    kept = history.store.judgement(key) if history.store else None
    known: dict[str, bool] = kept if isinstance(kept, dict) else {}
    unknown = [sha for sha in listed if sha not in known]
    if unknown:
        known.update(_looked_at(history, unknown, policy))
        if history.store:
            history.store.keep_judgement(key, lambda: known)
    return {sha for sha in listed if known.get(sha)}


def _looked_at(history: History, shas: Sequence[str], policy: FlowPolicy) -> dict[str, bool]:
    """Whether each commit is a chore; what cannot be read is left out."""
    history.prefetch(shas)
    found: dict[str, bool] = {}
    to_read: list[str] = []
    for sha in shas:
        facts = history.known(sha)
        if facts is None:
            continue
        could_be = not facts.is_merge and could_be_chore(facts.subject, facts.paths, policy)
        if could_be and needs_lines(facts.paths, policy):
            to_read.append(sha)
        else:
            found[sha] = could_be
    for sha, patch, cut in objects.patches(history.reader.gits, to_read, lambda _sha: None, LIMIT):
        facts = history.known(sha)
        if facts is not None:
            found[sha] = not cut and is_chore(facts.subject, line_changes(patch, facts.paths), policy)
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
