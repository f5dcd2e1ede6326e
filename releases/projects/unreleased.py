"""What a branch would bring that a release has not, in whatever shape: for the ways out and a release's page."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from releases.git import objects
from releases.git.page_reads import CommitInfo

from .history import History

There = Callable[[Sequence[str]], set[str]]
"""Those of some commits that the base has in another shape, by the evidence of every verdict."""


def unreleased(
    history: History,
    base: str,
    tip: str,
    copies: Mapping[str, Iterable[str]],
    there: There,
    limit: int,
    before: int = 0,
) -> tuple[tuple[CommitInfo, ...], int]:
    """Commits that `tip` has and `base` (empty: nothing) has not, the newest `limit` of them, and how many there are.

    `copies` tells, by the commit that may be in `base`, which others are the same change: those are left out when the
    base has it, and so is what `there` finds among the newest. So are merges that brought nothing else. Empty when git
    does not answer. `before`: only what was committed until then, in seconds since 1970; 0 for everything.
    """
    if not base:
        everything = history.log("", tip, 0, limit, before) or ()
        return everything, len(everything)
    known = copied(history, base, tip, copies)
    listed = history.log(base, tip, 0, limit + len(known), before)
    if listed is None:
        return (), 0
    left_out = known | there([info.sha for info in listed if len(info.parents) < 2 and info.sha not in known])
    left_out |= _idle_merges(history, base, listed, left_out)
    own = tuple(info for info in listed if info.sha not in left_out)
    if len(listed) < limit + len(known):
        return own[:limit], len(own)
    counted = history.count(base, tip, before)
    return own[:limit], max(len(own), (counted or 0) - len(left_out))


def copied(history: History, base: str, tip: str, copies: Mapping[str, Iterable[str]]) -> set[str]:
    """The commits between `base` and `tip` that are copies of what `base` has."""
    if history.git_dir is None or not copies:
        return set()
    there = set(copies) - _without(history, copies, base)
    others = {sha for origin in there for sha in copies[origin]}
    return _without(history, others, base) - _without(history, others, tip)


def _without(history: History, shas: Iterable[str], tip: str) -> set[str]:
    """Those of these commits that `tip` has not in its history; ones that the mirror lacks are never in it."""
    git_dir, wanted = history.git_dir, sorted(set(shas))
    here = list(history.commits(wanted))
    if git_dir is None or not here:
        return set(wanted)
    missing = history.ask(lambda: objects.unreached(git_dir, here, tip))
    return set(wanted) if missing is None else missing | (set(wanted) - set(here))


def _idle_merges(history: History, base: str, listed: Iterable[CommitInfo], known: set[str]) -> set[str]:
    """The merges among these that brought only what `base` has, or copies of it."""
    merges = [info for info in listed if len(info.parents) > 1]
    if not merges:
        return set()
    missing = _without(history, {sha for info in merges for sha in info.parents[1:]}, base) - known
    return {info.sha for info in merges if missing.isdisjoint(info.parents[1:])}
