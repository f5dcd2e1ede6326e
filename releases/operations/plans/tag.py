"""Tagging a release by itself: the head of a branch, with the next version. For projects that release every merge."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count, islice

from releases.git import objects
from releases.git.changes import Changes
from releases.git.push import RefUpdate
from releases.git.values import BranchName, TagName, shown
from releases.operations.plan import Nothing, Plan, PlanRefused
from releases.policies.wording import harmless
from releases.projects.versions import next_patch, tag_version

from .planning import Planning, name_taken
from .release_base import check_tag, release_base

FIRST = "v0.1.0"
"""Where nothing was ever tagged."""
NAMINGS = ("patch", "date")
MOST_LINES = 50
"""Subjects that the tag's message lists."""


def plan_tag(planning: Planning) -> Plan | Nothing:
    """Tag the commit `head` of `branch` with the next version by `naming` (patch or date).

    Nothing to do when a release has that commit already. The branch may have moved on; it may not have lost the commit.
    """
    branch, head = planning.branch("branch"), planning.sha("head")
    naming = planning.text("naming") or "patch"
    if naming not in NAMINGS:
        raise PlanRefused("invalid-value", f"{shown(naming)} is no way to name a release.", retryable=False)
    if not head:
        raise PlanRefused("no-commit", "No commit is named that is to be tagged.", retryable=False)
    since = _since(planning, branch, head)
    with Changes(planning.git_dir) as work:
        released = {head, *since}
        for name in _finished(planning):
            if work.reader.peel(planning.refs[f"refs/tags/{name}"]) in released:
                facts = {"branch": str(branch), "tag": name, "tagged": head}
                return Nothing(f"{name} has {head[:9]} already.", facts)
        tag = TagName.parse(_next_date(planning) if naming == "date" else _next_patch(planning))
        check_tag(planning, tag)
        if taken := name_taken(planning.refs, tag.full):
            raise PlanRefused("name-taken", f"{shown(tag)} cannot be made beside {shown(taken)}.", retryable=False)
        base = release_base(planning, work, tag, [head], None)
        message = f"{tag}\n\n{_brings(planning, work, head, base.commit if base else '')}"
        made = work.write_tag(tag, head, message, planning.person, planning.signer)
        work.keep()
    facts = {
        "branch": str(branch), "head": head, "tag": str(tag), "tag_object": made, "tagged": head,
        "base_tag": base.tag if base else "",
    }  # fmt: skip
    return Plan((RefUpdate(tag.full, "", made),), f"Tags {head[:9]} of {branch} {tag}.", (), facts)


def _since(planning: Planning, branch: BranchName, head: str) -> set[str]:
    """What came to the branch after this commit. Raises PlanRefused when the branch does not have it."""
    tip = planning.tip(branch)
    if tip == head:
        return set()
    if not objects.present(planning.git_dir, [head]) or not objects.is_ancestor(planning.git_dir, head, tip):
        raise PlanRefused(
            "moved-on",
            f"{shown(branch)} does not have {head[:9]} any more: it was moved to {tip[:9]} other than forward.",
            retryable=False,
        )
    return set(objects.walk(planning.git_dir, [tip, f"^{head}"]))


def _finished(planning: Planning) -> list[str]:
    """Finished version tags by the project's pattern."""
    pattern = re.compile(planning.policy.tag_pattern)
    return [
        name for name in planning.tags()
        if pattern.search(name) and (found := tag_version(name)) is not None and found.finished
    ]  # fmt: skip


def _next_patch(planning: Planning) -> str:
    return next_patch(_finished(planning)) or FIRST


def _next_date(planning: Planning) -> str:
    """The day on which it was asked for, in UTC; the second of a day gets a further number.

    Spelled as the tags before. Raises PlanRefused where a version that is no date stands above it.
    """
    known = {name: found.sort_key for name in _finished(planning) if (found := tag_version(name))}
    highest = max(known, key=lambda name: known[name], default="")
    version = tag_version(highest) if highest else None
    stem = highest[: len(highest) - len(version.version)] if version else "v"
    for name in islice(_dated(stem, datetime.fromtimestamp(planning.person.at, UTC)), 1000):
        found = tag_version(name)
        if found is not None and (not highest or found.sort_key > known[highest]):
            return name
    raise PlanRefused(
        "tag-order", f"{shown(highest)} is above every version that names this day. Name releases by patch instead.",
        retryable=False,
    )  # fmt: skip


def _dated(stem: str, day: datetime) -> Iterator[str]:
    name = f"{stem}{day.year}.{day.month}.{day.day}"
    yield name
    yield from (f"{name}.{number}" for number in count(1))


def _brings(planning: Planning, work: Changes, head: str, base: str) -> str:
    """The subjects of what is new, newest first."""
    span = [head, f"^{base}"] if base else [head]
    found = list(islice(objects.walk(planning.git_dir, span, "--no-merges"), MOST_LINES + 1))
    lines = [f"- {harmless(work.commit(sha).subject)}" for sha in found[:MOST_LINES]]
    return "\n".join(lines if len(found) <= MOST_LINES else [*lines, "- and more"])
