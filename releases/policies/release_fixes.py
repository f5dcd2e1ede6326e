"""Fixes as a release sees them: which it shipped first, and which it would take back."""

from __future__ import annotations

from collections.abc import Sequence

from django.db.models import Count

from releases.projects.models import Release

from .models import Fix, Verdict
from .overview import ACT

SHOWN = 100


def fixes_shipped(release: Release) -> list[Fix]:
    """Fixes that this release brought to production first."""
    return list(Fix.objects.filter(release=release, chore=False).order_by("-live_since", "-pk")[:SHOWN])


def fixes_shipped_counts(release_ids: Sequence[int]) -> dict[int, int]:
    """Release id → how many fixes it shipped first. One query."""
    rows = Fix.objects.filter(release_id__in=release_ids, chore=False).order_by().values_list("release_id")
    return {pk: number for pk, number in rows.annotate(number=Count("pk")) if pk is not None}


def fixes_lacking(release: Release) -> list[Fix]:
    """Fixes live in production that this release lacks, known where a target branch stands at its very commit."""
    owed = Verdict.objects.filter(
        project_id=release.project_id, target__tip=release.commit, target__closed_at=None, owed=True, code__in=ACT
    )
    return list(Fix.objects.filter(pk__in=owed.values("fix_id")).order_by("-live_since", "-pk")[:SHOWN])


def tickets_of(fixes: Sequence[Fix]) -> dict[str, str]:
    """By commit, the ticket of the fix it belongs to."""
    return {
        str(sha): fix.ticket
        for fix in fixes
        if fix.ticket
        for sha in [fix.key, *(commit.get("sha", "") for commit in fix.commits)]
    }
