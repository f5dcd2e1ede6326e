"""What ties a ticket to git now: its branch, commits, base, size, tag and fixes. Reads the mirror, writes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from releases.evidence.text import says_revert
from releases.projects.in_production import Running, running
from releases.projects.models import Release

from .change import measure
from .ground import HEADS, TAGS, Branch, Ground
from .keys import holds_key
from .models import Hotfix
from .rows import FixRow, ReleaseRow
from .sight import MOST_COMMITS, Sight, commit_data
from .stages import StageKey, StageState


@dataclass(slots=True)
class Tie:
    """A ticket's place in git, as its row will say."""

    branch: str
    head: str
    head_at: datetime | None
    base_tag: str
    base_commit: str
    commits: list[dict[str, Any]]
    change: dict[str, Any]
    tag: str
    fixes: list[FixRow] = field(default_factory=list)
    live_since: datetime | None = None
    holders: frozenset[str] = frozenset()
    """Whole names of the branches and tags that contain the fix as it stood on its branch."""
    runs: Running | None = None
    """The first environment of production that runs a release with it."""
    runs_instead: str = ""
    """What the first environment of production runs when none of them has it."""

    @classmethod
    def of(cls, hotfix: Hotfix) -> Tie:
        """As it was when last seen."""
        return cls(
            hotfix.branch, hotfix.head, hotfix.head_at, hotfix.base_tag, hotfix.base_commit, list(hotfix.commits),
            dict(hotfix.change), hotfix.tag,
        )  # fmt: skip

    @property
    def shas(self) -> list[str]:
        return [str(commit["sha"]) for commit in self.commits]


def tie(hotfix: Hotfix, ground: Ground, sight: Sight) -> Tie:
    """Look where the ticket stands now."""
    found = Tie.of(hotfix)
    standing = [fix.pk for fix in hotfix.fixes.all()]
    branch = _branch(hotfix, ground)
    if branch is not None:
        found.branch = branch.name
        _look(hotfix, found, branch, ground, sight)
    if not found.tag and not (found.branch and found.commits):
        _by_name(hotfix, found, branch, ground, sight)
    found.fixes = ground.fixes_of(hotfix, [*found.shas, *([found.head] if found.commits else [])], standing)
    if found.commits and not _at_rest(hotfix, found, branch):
        found.holders = sight.holders(found.head or found.shas[-1])
        if not found.fixes and not any(map(ground.is_production, found.holders)):
            found.fixes = _landed_otherwise(hotfix, found, ground, sight)
    elif found.fixes and not found.commits:
        _from_fixes(hotfix, found, ground, sight)
    _shipped(hotfix, found, ground)
    _runs(hotfix, found, ground, sight)
    return found


def _at_rest(hotfix: Hotfix, found: Tie, branch: Branch | None) -> bool:
    """Whether rows alone say all about it: finished, its branch is gone, and production's fixes are known."""
    return hotfix.finished_at is not None and bool(found.fixes) and (branch is None or not branch.here)


def _branch(hotfix: Hotfix, ground: Ground) -> Branch | None:
    """The ticket's branch; another one with its key when that is gone and nothing came of it."""
    known = ground.branches.get(hotfix.branch) if hotfix.branch else None
    if known is not None and (known.here or hotfix.tag):
        return known
    return ground.branch_of(hotfix) or known


def _look(hotfix: Hotfix, found: Tie, branch: Branch, ground: Ground, sight: Sight) -> None:
    """Take up where the branch stands now, if that is news."""
    if not branch.here or (branch.commit == found.head and found.commits):
        return
    excluded = ground.production_commits
    beside = sight.side(branch.commit, excluded)
    if beside is None:
        return
    targets = [target.tip for target in ground.targets if target.tip]
    own = sight.side(branch.commit, [*excluded, *targets]) or beside
    kept = found.commits
    if branch.commit != found.head and kept:
        here = sight.reached(found.shas, branch.commit)
        kept = [commit for commit in kept if here is None or commit["sha"] in here]
    known = {commit["sha"] for commit in kept}
    found.commits = [*kept, *(commit_data(info) for info in own if info.sha not in known)][-MOST_COMMITS:]
    if branch.commit != found.head:
        found.head_at = branch.ref.changed_at
    found.head = branch.commit
    _base(found, ground, sight)
    mine = set(found.shas)
    _measure(hotfix, found, ground, sight, strays=sum(info.sha not in mine for info in beside))


def _by_name(hotfix: Hotfix, found: Tie, branch: Branch | None, ground: Ground, sight: Sight) -> None:
    """Take up commits that carry the key where no branch of its own shows them: made straight on the integration
    branch when the way leads through it, or merged before anybody looked."""
    tips = [branch.commit] if branch is not None and branch.here else []
    tips += ground.production.values()
    if hotfix.way in (Hotfix.Way.FORWARD, Hotfix.Way.REVERT) or not ground.production:
        tips += [target.tip for target in ground.targets if target.tip]
    named = sight.naming(hotfix.key, tips, hotfix.created_at - _BEFORE)
    mine = [info for info in named if holds_key(info.subject, hotfix.key) and not says_revert(info.subject)]
    if not mine or [info.sha for info in mine] == found.shas:
        return
    found.commits = [commit_data(info) for info in mine]
    if not found.branch:
        found.head, found.head_at = mine[-1].sha, mine[-1].committed_at
    _base(found, ground, sight)
    _measure(hotfix, found, ground, sight)


_BEFORE = timedelta(days=1)
"""A fix may be begun before anybody opens its ticket."""


def _base(found: Tie, ground: Ground, sight: Sight) -> None:
    """Where it was cut: below its oldest commit, or the tip of a branch that holds nothing yet."""
    oldest = found.shas[0] if found.shas else ""
    info = sight.history.commits([oldest]).get(oldest) if oldest else None
    if info is not None:
        found.base_commit = info.parents[0] if info.parents else ""
    elif not oldest:
        found.base_commit = found.head
    named = [row for row in ground.releases.values() if row.commit == found.base_commit and row.on_production]
    found.base_tag = max(named, key=lambda row: row.sort_key).tag if named else ""


def _measure(hotfix: Hotfix, found: Tie, ground: Ground, sight: Sight, strays: int = 0) -> None:
    """How big the change is: from where it left production to its tip."""
    if not found.commits or not found.head:
        found.change = {}
        return
    base = found.base_commit
    if not found.base_tag:
        # Cut elsewhere: from where it parted with production. A release says so itself, on whichever line it is.
        fork = sight.fork(found.head, ground.production_tip)
        base = fork if fork and fork != found.head else base
    files = sight.files(base, found.head) if base else None
    if files is not None:
        size = measure(files[0], files[1], found.commits, ground.policy, hotfix.key, strays)
        found.change = size.as_data()


def _landed_otherwise(hotfix: Hotfix, found: Tie, ground: Ground, sight: Sight) -> list[FixRow]:
    """Fixes of production that are these commits in another shape: squashed, rebased or picked.

    Asked only when production got a fix since the ticket was opened that no ticket has.
    """
    fresh = any(fix.pk not in ground.claimed and fix.first_seen_at >= hotfix.created_at for fix in ground.fixes)
    if not ground.production_tip or not fresh:
        return []
    verdict = sight.judged(found.shas, ground.production_tip, "production")
    if verdict is None or not verdict.settled:
        return []
    return ground.fixes_with(sha for commit in verdict.commits for sha in commit.counterparts)


def _from_fixes(hotfix: Hotfix, found: Tie, ground: Ground, sight: Sight) -> None:
    """A fix that was never seen on a branch: its commits as production has them."""
    known: dict[str, dict[str, Any]] = {}
    for fix in sorted(found.fixes, key=lambda fix: (fix.live_since is None, fix.live_since, fix.pk)):
        for commit in fix.commits:
            known.setdefault(str(commit["sha"]), dict(commit))
    found.commits = list(known.values())[:MOST_COMMITS]
    if found.commits and not found.head:
        found.head = str(found.commits[-1]["sha"])
        found.head_at = min((fix.first_seen_at for fix in found.fixes), default=timezone.now())
    _base(found, ground, sight)
    _measure(hotfix, found, ground, sight)


def _shipped(hotfix: Hotfix, found: Tie, ground: Ground) -> None:
    """The first release that contains it, and since when production does."""
    tags = {fix.shipped_in for fix in found.fixes} | {
        name.removeprefix(TAGS) for name in found.holders if name.startswith(TAGS)
    }
    releases = [row for tag in tags if (row := ground.releases.get(tag)) and row.kind != Release.Kind.PRE]
    if releases:
        found.tag = min(releases, key=lambda row: (row.tagged_at or row.first_seen_at, row.sort_key)).tag
    else:
        found.tag = hotfix.tag if hotfix.tag in ground.releases else ""
    since = [fix.live_since for fix in found.fixes if fix.live_since is not None]
    found.live_since = min(since) if since else _live_by_refs(hotfix, found.holders, ground, releases)


def _runs(hotfix: Hotfix, found: Tie, ground: Ground, sight: Sight) -> None:
    """Which environment of production runs it: looked up anew when what runs there changed, or it is not over."""
    places = running(ground.project)
    seen = hotfix.observed_at if hotfix.finished_at is not None else None
    if seen is not None and all(place.since <= seen for place in places):
        places = tuple(place for place in places if place.tag == found.tag) or places[:1]
        found.runs = next(iter(places), None)
        return
    wanted = [fix.key for fix in found.fixes] or ([found.head] if found.commits else [])
    for place in places:
        there = sight.reached(wanted, place.commit) if wanted and place.tag != found.tag else None
        if there or place.tag == found.tag:
            found.runs = place
            return
        if there is None and hotfix.stages and _was_there(hotfix):
            found.runs = place  # Git cannot tell now: what was known before stays.
            return
    found.runs_instead = places[0].tag if places and found.tag else ""


def _was_there(hotfix: Hotfix) -> bool:
    return any(stage["key"] == StageKey.PRODUCTION and stage["state"] == StageState.DONE for stage in hotfix.stages)


def _live_by_refs(
    hotfix: Hotfix, holders: frozenset[str], ground: Ground, releases: Sequence[ReleaseRow]
) -> datetime | None:
    """Since when production has a commit that came there with a normal release, so that it is no fix of its own."""
    if not any(map(ground.is_production, holders)):
        return None
    dates = [row.tagged_at or row.first_seen_at for row in releases if row.on_production]
    if dates:
        return min(dates)
    before = next((stage for stage in hotfix.stages if stage["key"] == "production" and stage["at"]), None)
    if before is not None:
        return datetime.fromtimestamp(before["at"], timezone.get_current_timezone())
    moved = [ref.changed_at for name in holders if (ref := _ref(ground, name)) is not None]
    return min(moved, default=timezone.now())


def _ref(ground: Ground, name: str) -> Any:
    branch = ground.branches.get(name.removeprefix(HEADS))
    return branch.ref if branch else None
