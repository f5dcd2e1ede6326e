"""Hotfix branches and patch tags that have no ticket."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from releases.policies.names import matches
from releases.projects.models import Release
from releases.projects.services.refs import clean

from .ground import Ground
from .keys import LONGEST_KEY, key_in
from .models import Hotfix, Untracked
from .sight import Sight

RECENT = timedelta(days=30)
"""A patch tag that was there when the project was added is told of when it is not older than this."""
MOST = 100
"""Rows per project; a repository that never tidies up is not read through for it."""


def untracked_record(ground: Ground, sight: Sight) -> bool:
    """Bring the rows in line with what is there; True when that changed anything."""
    wanted = {(row.kind, row.name): row for row in [*_branches(ground, sight), *_tags(ground)][:MOST]}
    with transaction.atomic():
        known = {(row.kind, row.name): row for row in Untracked.objects.filter(project=ground.project)}
        gone = [row.pk for key, row in known.items() if key not in wanted]
        fresh = [row for key, row in wanted.items() if key not in known]
        moved = []
        for key, row in wanted.items():
            old = known.get(key)
            if old is not None and (old.commit, old.key, old.title) != (row.commit, row.key, row.title):
                old.commit, old.key, old.title = row.commit, row.key, row.title
                moved.append(old)
        if gone:
            Untracked.objects.filter(pk__in=gone).delete()
        Untracked.objects.bulk_create(fresh, ignore_conflicts=True)
        Untracked.objects.bulk_update(moved, ["commit", "key", "title"])
    return bool(gone or fresh or moved)


def _branches(ground: Ground, sight: Sight) -> list[Untracked]:
    """Branches named like a hotfix, cut from production or holding nothing but what production lacks.

    One that sits in production already, or that was cut from where the next release is made (as everyday `fix/…`
    branches are), is no hotfix in the making.
    """
    found = []
    for branch in ground.branches.values():
        if not branch.here or branch.name in ground.taken or matches(branch.name, ground.policy.production):
            continue
        side = sight.side(branch.commit, ground.production_commits)
        targets = [target.tip for target in ground.targets if target.tip]
        own = sight.side(branch.commit, [*ground.production_commits, *targets])
        if side is None or own is None or (side and len(own) < len(side)) or _old(branch.commit, side, ground):
            continue
        title = clean(side[-1].subject, 200) if side else ""
        key = key_in(ground.policy, branch.name, *(info.subject for info in side))
        found.append(
            Untracked(
                project=ground.project, kind=Untracked.Kind.BRANCH, name=branch.name, commit=branch.commit,
                since=branch.ref.first_seen_at, key=key[:LONGEST_KEY], title=title,
            )
        )  # fmt: skip
    return sorted(found, key=lambda row: row.since, reverse=True)


def _old(commit: str, side: Sequence[object], ground: Ground) -> bool:
    """Whether a branch without commits of its own lies in production's past rather than at a release just cut."""
    return not side and commit not in ground.production_commits


def _tags(ground: Ground) -> list[Untracked]:
    """Patch releases in production whose fixes no ticket has."""
    tagged = set(Hotfix.objects.filter(project=ground.project).exclude(tag="").values_list("tag", flat=True))
    loose: dict[str, list[str]] = {}
    for fix in ground.fixes:
        if fix.shipped_in and fix.pk not in ground.claimed:
            loose.setdefault(fix.shipped_in, []).append(fix.ticket)
    first_look = min((row.first_seen_at for row in ground.releases.values()), default=timezone.now())
    found = []
    for tag, tickets in loose.items():
        row = ground.releases.get(tag)
        if row is None or row.kind != Release.Kind.PATCH or not row.on_production or tag in tagged:
            continue
        at = row.tagged_at or row.first_seen_at
        if row.first_seen_at <= first_look and at < timezone.now() - RECENT:
            continue
        key = next(filter(None, tickets), "") or tag
        found.append(
            Untracked(
                project=ground.project, kind=Untracked.Kind.TAG, name=tag, commit=row.commit, since=at,
                key=key[:LONGEST_KEY], title=row.subject[:200],
            )
        )  # fmt: skip
    return sorted(found, key=lambda row: row.since, reverse=True)
