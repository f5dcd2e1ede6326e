"""Rows that the matrix tests share: one project with three branches, and many fixes at once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.utils import timezone

from releases.evidence.verdicts import Code
from releases.policies.models import Fix, Target, Verdict
from releases.projects.models import Project
from tests.factories import make_fix, make_project, make_target, make_verdict, sha


def make_branches(project: Project) -> list[Target]:
    """develop, release/1.3 and support/1.1, in this order."""
    return [
        make_target(project, "develop", kind=Target.Kind.DEVELOP, position=0),
        make_target(project, "release/1.3", kind=Target.Kind.RELEASE, position=1, planned_version="v1.3.0"),
        make_target(project, "support/1.1", kind=Target.Kind.SUPPORT, position=2),
    ]


def make_judged(
    project: Project, subject: str, targets: Sequence[Target], codes: Sequence[Code], days: float = 2, **fields: Any
) -> Fix:
    """A fix live for `days`, with one verdict per target."""
    fix = make_fix(project, subject, live_since=timezone.now() - timedelta(days=days), **fields)
    for target, code in zip(targets, codes, strict=True):
        make_verdict(fix, target, code)
    return fix


def make_many(project: Project, targets: Sequence[Target], count: int) -> None:
    """So many fixes with a verdict for each target; every fifth is missing somewhere, every seventh is likely."""
    now = timezone.now()
    fixes = Fix.objects.bulk_create(
        Fix(
            project=project, key=sha((project.pk, number)), kind="merge", subject=f"Fix number {number}",
            ticket=f"TICKET-{number}", author_name="Mira", production_ref="main", shipped_in="v1.0.1",
            live_since=now - timedelta(hours=number), live_since_source="tag",
            commits=[{"sha": sha((project.pk, number)), "subject": f"Fix number {number}"}],
        )
        for number in range(count)
    )  # fmt: skip
    Verdict.objects.bulk_create(
        Verdict(
            fix=fix, target=target, project=project, code=code.value, settled=code is Code.MERGED,
            owed=code is not Code.MERGED, why="Why.", detail="abc1234", owed_since=fix.live_since,
        )
        for number, fix in enumerate(fixes)
        for target in targets
        for code in [Code.MISSING if number % 5 == 0 else Code.LIKELY if number % 7 == 0 else Code.MERGED]
    )  # fmt: skip


def make_large(count: int, name: str = "") -> Project:
    """A project with `count` fixes and four targets."""
    project = make_project(name)
    targets = [*make_branches(project), make_target(project, "support/1.0", kind="support", position=3)]
    make_many(project, targets, count)
    return project
