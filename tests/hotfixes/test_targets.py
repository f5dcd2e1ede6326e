"""Targets come and go with their branches, and with the calendar; nobody touches the settings."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from releases.policies.flow import FlowPolicy
from releases.policies.models import Target
from releases.projects.models import Project
from tests.gitrepos import make_flow
from tests.hotfixes.playing import app, look, opened, stage, track

pytestmark = pytest.mark.django_db


def open_targets(project: Project) -> list[str]:
    return list(Target.objects.filter(project=project, closed_at=None).values_list("branch", flat=True))


def test_an_open_release_branch_is_owed_as_long_as_it_is_open(tmp_path: Path) -> None:
    repo = make_flow(tmp_path)
    project = track(repo, FlowPolicy())
    hotfix = opened(project)
    repo.branch("hotfix/TICKET-7", "v1.0.0")
    repo.commit({"app.py": app((3, "mended"))}, "[HOTFIX] TICKET-7: mend", branch="hotfix/TICKET-7")
    repo.merge("hotfix/TICKET-7", "main")
    repo.tag("v1.0.1", "main", message="1.0.1")
    repo.merge("hotfix/TICKET-7", "develop")
    look(project)
    assert open_targets(project) == ["develop"]
    assert stage(hotfix, "merge-back").state == "done"

    repo.branch("release/1.1", "develop~1")
    look(project)
    assert open_targets(project) == ["develop", "release/1.1"]
    assert stage(hotfix, "merge-back").detail == "owed to release/1.1"
    hotfix.refresh_from_db()
    assert (hotfix.owed_count, hotfix.finished_at) == (1, None)

    repo.git("update-ref", "-d", "refs/heads/release/1.1")
    look(project)
    assert open_targets(project) == ["develop"]
    assert stage(hotfix, "merge-back").state == "done"


def test_a_released_branch_closes_and_the_next_one_opens(tmp_path: Path) -> None:
    repo = make_flow(tmp_path)
    repo.branch("release/1.1", "develop")
    project = track(repo, FlowPolicy())
    assert open_targets(project) == ["develop", "release/1.1"]
    repo.merge("release/1.1", "main")
    repo.tag("v1.1.0", "main", message="1.1.0")
    repo.commit({"next.py": "1\n"}, "TICKET-20 next", branch="develop")
    repo.branch("release/1.2", "develop")
    look(project)
    assert open_targets(project) == ["develop", "release/1.2"]


def test_a_line_is_no_target_after_its_last_day(tmp_path: Path) -> None:
    repo = make_flow(tmp_path)
    repo.branch("support/0.9", "v1.0.0")
    today = timezone.now().date()
    policy = replace(FlowPolicy(), targets=("develop", "support/*"))
    project = track(repo, replace(policy, supported_until=(f"support/0.9={today.isoformat()}",)))
    assert open_targets(project) == ["develop", "support/0.9"]
    ended = replace(policy, supported_until=(f"support/0.9={(today - timedelta(days=1)).isoformat()}",))
    Project.objects.filter(pk=project.pk).update(policy=ended.as_data())
    look(project)
    assert open_targets(project) == ["develop"]
