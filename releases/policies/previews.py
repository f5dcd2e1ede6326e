"""What would happen if the fixes that are owed were laid onto their targets now. Bounded in number and time."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from releases.evidence.history import History
from releases.evidence.trial import Pick, Step, Trial, trial_picks
from releases.evidence.verdicts import Code, FixReport, FixVerdict, Preview
from releases.git.changes import OUR_SIDE_DECIDES
from releases.git.trees import path_matches

from .wording import count, harmless

SECONDS = 20.0
"""Time for all previews of one answer."""
AT_MOST = 300
"""Previews of one answer."""
STEPS = 30
"""Commits above which a fix is not tried."""
_BATCH = 20
_FIRST = (Code.MISSING, Code.PARTIAL, Code.REVERTED)


@dataclass(frozen=True, slots=True)
class _Wanted:
    fix: FixReport
    target: str
    pick: Pick


def add_previews(
    fixes: Sequence[FixReport], history: History, targets: Mapping[str, str], bases: Mapping[str, str],
    version_files: Sequence[str] = (), *, progress: Callable[[str], None] | None = None,
) -> float:  # fmt: skip
    """Try what is not settled, newest first, and write the outcome into the verdicts; returns the seconds it took.

    `targets` maps names to tips; `bases` maps a fix's id to the state of production before it, for fixes that can be
    laid on as one change. `version_files` are globs of files in which a merge-back keeps the target's side.
    """
    started = time.monotonic()
    wanted = _wanted(fixes, history, targets, bases)
    for start in range(0, len(wanted), _BATCH):
        left = SECONDS - (time.monotonic() - started)
        if left <= 0.2:
            break
        if progress:
            progress(f"Trying {start + 1:,} of {len(wanted):,} picks …")
        part = wanted[start : start + _BATCH]
        trials = trial_picks(history.git_dir, [item.pick for item in part], hunks=True, timeout=left)
        for item, trial in zip(part, trials, strict=True):
            if not trial.error:
                item.fix.verdicts[item.target] = with_preview(item.fix.verdicts[item.target], trial, version_files)
    return time.monotonic() - started


def _wanted(
    fixes: Sequence[FixReport], history: History, targets: Mapping[str, str], bases: Mapping[str, str]
) -> list[_Wanted]:
    found = []
    for fix in fixes:
        for target in fix.owed_to:
            steps = _steps(fix, fix.verdicts[target], history, bases.get(fix.id))
            if target in targets and 0 < len(steps) <= STEPS:
                found.append(_Wanted(fix, target, Pick(targets[target], steps)))
    found.sort(key=lambda item: (item.fix.verdicts[item.target].verdict not in _FIRST, -(item.fix.live_since or 0)))
    return found[:AT_MOST]


def _steps(fix: FixReport, verdict: FixVerdict, history: History, base: str | None) -> tuple[Step, ...]:
    """The whole fix as one change when all of it lacks; else its open commits one by one."""
    open_commits = [part.sha for part in verdict.commits if not part.settled] or [commit.sha for commit in fix.commits]
    if base is not None and len(open_commits) == len(fix.commits) and fix.kind != "evil":
        return (Step(base, fix.id),)
    steps = []
    for sha in open_commits:
        parents = history.parents(sha)
        steps.append(Step(parents[0] if parents else None, sha))
    return tuple(steps)


def past_versions(trial: Trial, version_files: Sequence[str]) -> tuple[Trial, tuple[str, ...]]:
    """The trial without conflicts in version files, and their paths: a merge-back keeps the target's side there."""
    kept = tuple(
        conflict.path for conflict in trial.conflicts
        if conflict.kind in OUR_SIDE_DECIDES and path_matches(os.fsencode(conflict.path), version_files)
    )  # fmt: skip
    if trial.error or not kept:
        return trial, ()
    left = tuple(conflict for conflict in trial.conflicts if conflict.path not in kept)
    hunks = tuple(hunk for hunk in trial.hunks if hunk.path not in kept)
    return replace(trial, clean=not left, conflicts=left, hunks=hunks), tuple(dict.fromkeys(kept))


def with_preview(verdict: FixVerdict, trial: Trial, version_files: Sequence[str] = ()) -> FixVerdict:
    """The verdict with what the trial showed, in words too where it says nothing else."""
    trial, kept = past_versions(trial, version_files)
    preview = Preview(trial.clean, trial.paths, trial.changes_nothing, trial.hunks)
    detail = verdict.detail
    if verdict.verdict is Code.MISSING or not detail:
        detail = f"conflicts in {count(len(trial.paths), 'file')}"
        if trial.clean:
            detail = "a pick changes nothing" if trial.changes_nothing else "merges cleanly"
            if kept:
                stays = "stays" if len(kept) == 1 else "stay"
                detail = f"merges cleanly, {harmless(' and '.join(kept[:2]))} {stays}"
    return replace(verdict, preview=preview, detail=detail)
