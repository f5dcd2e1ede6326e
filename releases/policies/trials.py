"""Conflict hunks for a page: a trial pick of a few commits, within seconds, remembered by object ids."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from releases.evidence.trial import Pick, Step, trial_picks
from releases.git.errors import GitError
from releases.git.hunks import ConflictHunk
from releases.projects.history import History, remembered
from releases.projects.patches import Hunk, Line, visible

SECONDS = 3.0
"""How long a page waits for a trial."""
MAX_STEPS = 40


def conflict_hunks(repo: History, tip: str, shas: Sequence[str]) -> list[tuple[str, Hunk]] | None:
    """Where a pick of these commits, oldest first, onto `tip` conflicts: (path, hunk) pairs.

    None when git cannot tell now: no mirror here, an unreadable object, or no time.
    """
    if not tip or not shas or len(shas) > MAX_STEPS or repo.git_dir is None:
        return None
    known = repo.commits(shas)
    if any(sha not in known for sha in shas):
        return None
    steps = tuple(Step(known[sha].parents[0] if known[sha].parents else None, sha) for sha in shas)
    git_dir = repo.git_dir

    def tried() -> tuple[tuple[str, Hunk], ...]:
        trial = trial_picks(git_dir, [Pick(tip, steps)], hunks=True, timeout=SECONDS)[0]
        if trial.error:
            raise GitError(trial.error)
        return tuple((hunk.path, _as_hunk(hunk)) for hunk in trial.hunks)

    found = repo.ask(lambda: remembered(("trial", tip, *shas), tried))
    return None if found is None else list(found)


def stored_hunks(preview: dict[str, Any]) -> list[tuple[str, Hunk]]:
    """The hunks that the stored preview holds: (path, hunk) pairs; odd entries are left out."""
    found = []
    for entry in preview.get("hunks") or []:
        try:
            sides = {name: tuple(map(str, entry.get(name, ()))) for name in ("ours", "theirs", "before", "after")}
            conflict = ConflictHunk(str(entry["path"]), int(entry["line"]), **sides)
        except (KeyError, TypeError, ValueError):
            continue
        found.append((conflict.path, _as_hunk(conflict)))
    return found


def _as_hunk(conflict: ConflictHunk) -> Hunk:
    """Both sides as a diff reads: what the branch has goes, what the fix has comes."""
    number = conflict.line
    hunk = Hunk(f"@@ line {number} @@")
    start = number - len(conflict.before)
    for offset, text in enumerate(conflict.before):
        hunk.lines.append(Line("", start + offset, None, visible(text)))
    for offset, text in enumerate(conflict.ours):
        hunk.lines.append(Line("del", number + offset, None, visible(text)))
    hunk.lines += [Line("add", None, None, visible(text)) for text in conflict.theirs]
    start = number + len(conflict.ours)
    for offset, text in enumerate(conflict.after):
        hunk.lines.append(Line("", start + offset, None, visible(text)))
    return hunk
