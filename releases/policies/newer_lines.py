"""Supported lines side by side: a fix of an older line goes to every newer one, and never the other way.

A line that is production and, by the policy, a target as well is asked about on its own: the lines older than it are
production then, and it is the only target. The answers become one report.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from releases.evidence.verdicts import Report

from .answer import answer
from .names import matches, version_in
from .question import Question
from .refs import TAGS, Refs, read_refs


def answer_for_lines(
    repository: Path | str, question: Question, *, refs: Refs | None = None, store: Path | None = None, **more: Any
) -> Report:
    """Like `answer`, with every newer supported line as a target of the fixes of older ones."""
    found = refs or read_refs(Path(repository), store)
    lines = supported_lines(question, found)
    report = answer(repository, _without(question, found), store=store, refs=found, **more)
    for place, line in enumerate(lines[1:], 1):
        older = tuple(lines[:place])
        asked = replace(question, production=older, targets=(line,))
        _join(report, answer(repository, asked, store=store, refs=found, **more), line)
    return report


def supported_lines(question: Question, refs: Refs) -> list[str]:
    """Branches that are production and target at once and carry a version, the oldest first; none for a single one."""
    today = datetime.now(UTC).date()
    both = [
        name
        for name in refs.branches
        if matches(name, question.production) and matches(name, question.targets)
        and version_in(name) is not None and question.policy.supported(name, today)
    ]  # fmt: skip
    lines = sorted(both, key=lambda name: (version_in(name) or (0, 0, 0), name))
    return lines if len(lines) > 1 else []


def _without(question: Question, refs: Refs) -> Question:
    """The question about all other targets: what is production is no target of production as a whole."""
    branches = [name for name in refs.branches if matches(name, [p for p in question.production if p[:5] != TAGS])]
    kept = tuple(name for name in question.targets if not _only(name, branches, refs))
    return replace(question, targets=kept) if kept else question


def _only(target: str, production: Sequence[str], refs: Refs) -> bool:
    """Whether every branch that this target names is production."""
    named = [name for name in refs.branches if matches(name, (target,))]
    return bool(named) and all(name in production for name in named)


def _join(report: Report, other: Report, line: str) -> None:
    """Add what was found about one line."""
    if line not in other.git:
        return
    report.targets = (*report.targets, line)
    report.git.update(other.git)
    known = {fix.id: fix for fix in report.fixes}
    for fix in other.fixes:
        if line not in fix.verdicts:
            continue
        standing = known.get(fix.id)
        if standing is None:
            report.fixes.append(fix)
        else:
            standing.verdicts[line] = fix.verdicts[line]
    report.elapsed_seconds += other.elapsed_seconds
    report.preview_seconds += other.preview_seconds
    report.notes += [note for note in other.notes if note not in report.notes]
