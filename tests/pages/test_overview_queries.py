"""The overview's queries do not grow with what there is."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from hotfixdash.accounts.models import User
from releases.evidence.verdicts import Code
from releases.policies.models import Fix, Target, Verdict
from releases.projects.models import Project
from tests.factories import make_project, make_target, make_user, sha

pytestmark = pytest.mark.django_db

COLD = 24
"""Session, person, role, two stamps, projects, runs, targets, what is owed by target, four lists and their count, and
two for what other apps show."""
KEPT = 6
CODES = [Code.MISSING, Code.MERGED, Code.LIKELY, Code.PARTIAL, Code.EQUIVALENT, Code.REVERTED, Code.UNKNOWN]


def fill(projects: int, fixes: int) -> None:
    """`projects` with four targets each, and `fixes` in all, each judged for every target."""
    now = timezone.now()
    for number in range(projects):
        project = make_project(
            f"service-{number:03}", fetched_at=now, judged_at=now, visibility=Project.Visibility.SIGNED_IN
        )
        targets = [
            make_target(project, "develop"),
            make_target(project, "release/2.0", kind=Target.Kind.RELEASE, position=1),
            make_target(project, "release/2.1", kind=Target.Kind.RELEASE, position=2),
            make_target(project, "support/1.0", kind=Target.Kind.SUPPORT, position=3),
        ]
        rows = Fix.objects.bulk_create(
            Fix(project=project, key=sha((number, n)), kind="merge", subject=f"Repair {n}", production_ref="main",
                live_since=now - timedelta(hours=n))
            for n in range(fixes // projects)
        )  # fmt: skip
        Verdict.objects.bulk_create(
            _verdict(fix, target, CODES[(n + target.position) % len(CODES)])
            for n, fix in enumerate(rows)
            for target in targets
        )


def _verdict(fix: Fix, target: Target, code: Code) -> Verdict:
    settled = code in (Code.MERGED, Code.EQUIVALENT)
    return Verdict(
        fix=fix, target=target, project=fix.project, code=code.value, settled=settled, owed=not settled, why="So.",
        owed_since=None if settled else fix.live_since,
        settled_at=timezone.now() if settled else None, lag_seconds=3600 if settled else None,
    )  # fmt: skip


@pytest.mark.sample(2)
@pytest.mark.parametrize(("projects", "fixes"), [(3, 30), (50, 1000)])
@pytest.mark.parametrize("everything", [True, False])
def test_the_number_of_queries_is_constant(
    client: Client, django_assert_num_queries: Any, projects: int, fixes: int, everything: bool
) -> None:
    fill(projects, fixes)
    client.force_login(_person(everything))
    client.get("/")
    cache.clear()
    with django_assert_num_queries(COLD):
        page = client.get("/").content.decode()
    assert f"{projects} projects" in page or projects < 10
    with django_assert_num_queries(KEPT):
        client.get("/")


def _person(everything: bool) -> User:
    return make_user("mara", "release-manager", all_projects=everything)


def test_one_project_s_overview_is_constant_too(client: Client, django_assert_max_num_queries: Any) -> None:
    fill(2, 400)
    client.force_login(_person(True))
    client.get("/projects/service-000/")
    cache.clear()
    with django_assert_max_num_queries(28):
        client.get("/projects/service-000/")


@pytest.mark.parametrize("projects", [3, 50])
def test_the_list_of_projects_is_constant(client: Client, django_assert_num_queries: Any, projects: int) -> None:
    fill(projects, projects)
    client.force_login(_person(True))
    cache.clear()
    with django_assert_num_queries(10):
        client.get("/projects/")
