"""Turn what was typed (or nothing) into a Question, guessing from the repository's names what is left open."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from .flow import FlowPolicy, Preset
from .guess import DEVELOP, guess, is_line
from .places import Place
from .question import Question, QuestionError

_OBJECT_ID = re.compile(r"[0-9a-f]{7,64}\Z")


def question_from(
    place: Place,
    *,
    production: Sequence[str] | None = None,
    targets: Sequence[str] | None = None,
    since: str | None = None,
    commits: bool = False,
    mask_trailers: bool = False,
    ignore_file: Path | None = None,
) -> Question:
    """The question about a repository; what is not given comes from its policy, or is guessed. Raises QuestionError."""
    policy = place.policy or _guessed(place)
    guessed_tickets = place.policy is None
    if production or targets:
        live, wanted = tuple(production or policy.production), tuple(targets or policy.targets)
        if not targets:
            wanted = tuple(name for name in wanted if name not in live)
        policy = replace(policy, production=live, targets=wanted, preset=preset_for(live, wanted, policy.preset))
    if not policy.targets:
        raise QuestionError(
            "no-target",
            "No branch is named that must have the fixes.",
            "Name it with --target, for example --target develop.",
        )
    ignore = _object_ids(ignore_file) if ignore_file else frozenset()
    return Question(
        policy.production, policy.targets, policy, since, commits, mask_trailers, ignore, True, guessed_tickets
    )


def _guessed(place: Place) -> FlowPolicy:
    return guess(place.refs.branches, place.refs.tags, place.refs.head).policy


def preset_for(production: Sequence[str], targets: Sequence[str], usual: Preset = Preset.GITFLOW) -> Preset:
    """The way of working that these refs belong to."""
    if any(name.startswith("tags:") for name in production):
        return Preset.TRUNK
    if any(is_line(name) for name in production):
        return Preset.MAINTENANCE
    if any(name in DEVELOP for name in targets):
        return Preset.GITFLOW
    return Preset.GITFLOW if usual == Preset.TRUNK else usual


def _object_ids(file: Path) -> frozenset[str]:
    """Object ids from a file, one a line; blank lines and what follows a # are passed over."""
    try:
        lines = file.read_text("utf-8", "replace").splitlines()
    except OSError as fault:
        raise QuestionError(
            "ignore-file", f"The file {file} cannot be read: {fault.strerror}.", "Check its name."
        ) from None
    found = set()
    for number, line in enumerate(lines, 1):
        word = line.partition("#")[0].strip().lower()
        if not word:
            continue
        if not _OBJECT_ID.match(word):
            raise QuestionError(
                "ignore-file", f"Line {number} of {file} is not an object id.", "Write one commit's object id a line."
            )
        found.add(word)
    return frozenset(found)
