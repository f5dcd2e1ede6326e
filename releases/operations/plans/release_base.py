"""What production runs, as its tags tell, and what it would run with the fix alone."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from releases.git.changes import Changes
from releases.git.ranges import Parting, lacking
from releases.git.values import shown
from releases.operations.plan import PlanRefused
from releases.projects.versions import next_patch, tag_version

from .planning import Planning

_BATCH = 20


@dataclass(frozen=True, slots=True)
class ReleaseBase:
    """The release that production runs before the hotfix."""

    tag: str
    commit: str


def check_tag(planning: Planning, tag: str) -> None:
    """Raise PlanRefused unless the tag can name a new release of this project."""
    version = tag_version(tag)
    if version is None or not re.search(planning.policy.tag_pattern, tag):
        raise PlanRefused(
            "not-a-version", f"{shown(tag)} is not a version by this project's tag pattern.", retryable=False
        )
    for other in planning.tags():
        found = tag_version(other)
        if found is not None and found.sort_key == version.sort_key and _family(other) == _family(tag):
            following = next_patch(planning.tags(), other)
            raise PlanRefused(
                "tag-exists", f"The version of {shown(tag)} is taken by the tag {shown(other)}. Next is {following}.",
                retryable=False,
            )  # fmt: skip


def release_base(
    planning: Planning, work: Changes, tag: str, tips: Sequence[str], parting: Parting | None
) -> ReleaseBase | None:
    """The highest finished version below `tag` in the history of these tips (none: anywhere); None without one."""
    candidates = (base for name in _below(planning, tag) if (base := _peeled(planning, work, name)))
    near = set[str]() if parting is None else {*parting.left, *parting.right, *parting.bases}
    while batch := list(islice(candidates, _BATCH)):
        if not tips or batch[0].commit in near:
            return batch[0]
        outside = _outside_all(planning, tips, batch)
        for base in batch:
            if base.commit not in outside:
                return base
    return None


def _outside_all(planning: Planning, tips: Sequence[str], bases: Sequence[ReleaseBase]) -> set[str]:
    """Those of the commits that are in the history of none of the tips."""
    outside = {base.commit for base in bases}
    for tip in tips:
        outside &= lacking(planning.git_dir, tip, sorted(outside)).keys()
    return outside


def check_order(planning: Planning, work: Changes, tag: str, production: str, branch: str) -> None:
    """Raise PlanRefused when production's branch already has a higher version than the new tag."""
    version = tag_version(tag)
    higher = [
        name for name in _finished(planning, tag)
        if version is not None and (found := tag_version(name)) and found.sort_key > version.sort_key
    ]  # fmt: skip
    bases = [base for name in higher if (base := _peeled(planning, work, name))]
    outside = lacking(planning.git_dir, production, sorted({base.commit for base in bases})) if bases else {}
    inside = [base.tag for base in bases if base.commit not in outside]
    if inside:
        raise PlanRefused(
            "tag-order",
            f"{shown(branch)} has {shown(inside[0])} already, so {shown(tag)} would be a step back. "
            f"Next is {next_patch(planning.tags(), inside[0])}.",
            retryable=False,
        )


def alone(work: Changes, base: str, fork: str, tip: str) -> str:
    """The tree of the release `base` with nothing but the fix (`fork` → `tip`); empty when that conflicts."""
    if work.commit(base).tree == work.commit(fork).tree:
        return work.commit(tip).tree
    laid = work.lay(base, fork, tip)
    return laid.tree if laid.clean else ""


def _below(planning: Planning, tag: str) -> Iterator[str]:
    version = tag_version(tag)
    for name in _finished(planning, tag):
        found = tag_version(name)
        if version is None or (found is not None and found.sort_key < version.sort_key):
            yield name


def _finished(planning: Planning, tag: str) -> list[str]:
    """Finished version tags of the product that `tag` is of, the highest first."""
    pattern, family = re.compile(planning.policy.tag_pattern), _family(tag)
    names = [name for name in planning.tags() if pattern.search(name) and _family(name) == family]
    versions = {name: tag_version(name) for name in names}
    known = [(found.sort_key, name) for name, found in versions.items() if found is not None and found.finished]
    return [name for _key, name in sorted(known, reverse=True)]


def _peeled(planning: Planning, work: Changes, name: str) -> ReleaseBase | None:
    commit = work.reader.peel(planning.refs[f"refs/tags/{name}"])
    return None if commit is None else ReleaseBase(name, commit)


def _family(tag: str) -> str:
    """What stands before the version when one repository holds several: `app/` of `app/v1.2.0`."""
    return tag.rpartition("/")[0]
