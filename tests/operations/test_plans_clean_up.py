"""Deleting a hotfix branch: only when every target has what is on it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from releases.evidence.store import FactStore
from releases.git.push import LeaseLost
from releases.operations.plan import Nothing, Plan, PlanRefused
from releases.operations.plans import PLANNERS
from releases.operations.plans.planning import Planning
from releases.policies.models import Fix, Settlement, Target
from tests.factories import make_project
from tests.operations.planning import ASKED, Desk, line_changed, make_desk

pytestmark = pytest.mark.django_db
BRANCH = "hotfix/TICKET-1"


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    desk = make_desk(tmp_path)
    desk.do("finish", branch=BRANCH, production="main", tag="v1.2.1", message="mend")
    return desk


def asked(desk: Desk, **more: object) -> dict[str, object]:
    head = desk.repo.sha(BRANCH)
    commits = desk.repo.git("rev-list", "--reverse", f"v1.2.0..{BRANCH}").split()
    return {"branch": BRANCH, "head": head, "targets": ["develop"], "commits": commits, **more}


def merge_back(desk: Desk, method: str, target: str = "develop") -> None:
    want = asked(desk)
    desk.do("merge-back", commits=want["commits"], tip=want["head"], target=target, method=method, ticket="TICKET-1")


@pytest.mark.parametrize("method", ["merge", "pick"])
def test_deleted_when_everything_is_merged_back(desk: Desk, method: str) -> None:
    merge_back(desk, method)
    plan = desk.do("clean-up", **asked(desk))
    assert not desk.repo.exists(BRANCH)
    assert plan.updates[0].new == ""


def test_deleted_after_a_squashed_merge_back(desk: Desk) -> None:
    desk.repo.squash(BRANCH, into="develop", message="TICKET-1 mend the checkout (#12)")
    assert isinstance(desk.plan("clean-up", **asked(desk)), Plan)


def test_refused_as_long_as_a_target_lacks_it_naming_which_and_why(desk: Desk) -> None:
    with pytest.raises(PlanRefused, match="“develop” lacks") as refused:
        desk.plan("clean-up", **asked(desk))
    assert refused.value.code == "owed"
    assert desk.repo.exists(BRANCH)


def test_a_release_branch_that_was_opened_since_is_asked_too(desk: Desk) -> None:
    want = asked(desk)
    desk.repo.branch("release/1.3", "develop")
    merge_back(desk, "merge")
    with pytest.raises(PlanRefused, match=r"release/1\.3"):
        desk.plan("clean-up", **want)
    merge_back(desk, "pick", "release/1.3")
    assert isinstance(desk.plan("clean-up", **want), Plan)


def test_a_target_that_is_gone_is_none_any_more(desk: Desk) -> None:
    merge_back(desk, "merge")
    assert isinstance(desk.plan("clean-up", **asked(desk, targets=["develop", "release/0.9"])), Plan)


def test_what_was_undone_again_is_still_owed(desk: Desk) -> None:
    merge_back(desk, "pick")
    desk.repo.revert("develop", on="develop")
    with pytest.raises(PlanRefused) as refused:
        desk.plan("clean-up", **asked(desk))
    assert refused.value.code == "owed"


def test_commits_that_nobody_named_but_the_branch_holds_are_looked_at(desk: Desk) -> None:
    merge_back(desk, "merge")
    want = asked(desk)
    late = desk.repo.commit({"late.py": "x = 1\ny = 2\n"}, "TICKET-1 afterthought", branch=BRANCH)
    with pytest.raises(PlanRefused, match="pushed to since") as refused:
        desk.plan("clean-up", **want)
    assert refused.value.code == "moved-on"
    with pytest.raises(PlanRefused) as refused:
        desk.plan("clean-up", **want | {"head": late})
    assert refused.value.code == "owed"


def test_a_branch_that_is_gone_is_nothing_to_do(desk: Desk) -> None:
    want = asked(desk)
    desk.repo.delete(BRANCH)
    assert isinstance(desk.plan("clean-up", **want), Nothing)


def test_a_branch_that_moves_before_the_push_is_not_deleted(desk: Desk) -> None:
    merge_back(desk, "merge")
    with desk.mirror.changing() as session:
        plan = PLANNERS["clean-up"](Planning(session.git_dir, session.refs, desk.policy, asked(desk), ASKED, 0))
        assert isinstance(plan, Plan)
        desk.repo.commit({"late.py": "x\n"}, "late", branch=BRANCH)
        with pytest.raises(LeaseLost):
            session.push(plan.updates)
    assert desk.repo.exists(BRANCH)


@pytest.mark.parametrize("name", ["main", "develop", "release/1.3", "support/1.x"])
def test_branches_that_others_live_from_are_never_deleted(desk: Desk, name: str) -> None:
    if not desk.repo.exists(name):
        desk.repo.branch(name, "main")
    want = asked(desk) | {"branch": name, "head": desk.repo.sha(name)}
    with pytest.raises(PlanRefused) as refused:
        desk.plan("clean-up", **want)
    assert refused.value.code == "not-a-hotfix"


def make_settlement(desk: Desk, kind: str, **more: object) -> int:
    """A person's word on the fix in develop; gives the project's key."""
    project = make_project()
    want = asked(desk)
    commits = [{"sha": sha} for sha in want["commits"]]  # type: ignore[attr-defined]
    fix = Fix.objects.create(project=project, key=want["head"], kind="merge", subject="mend", commits=commits)
    target = Target.objects.create(project=project, branch="develop", position=0)
    Settlement.objects.create(
        project=project, fix=fix, target=target, kind=kind, reason="because", by_name="Aiko", **more
    )
    return project.pk


def test_a_waiver_settles_as_long_as_it_holds(desk: Desk) -> None:
    until = timezone.now() + timedelta(days=3)
    project = make_settlement(desk, "waived", until=until)
    assert isinstance(desk.plan("clean-up", project_pk=project, **asked(desk)), Plan)
    Settlement.objects.update(until=timezone.now() - timedelta(days=1))
    with pytest.raises(PlanRefused):
        desk.plan("clean-up", project_pk=project, **asked(desk))


def test_what_a_person_called_different_is_owed_although_git_finds_it(desk: Desk) -> None:
    merge_back(desk, "pick")
    project = make_settlement(desk, "different")
    with pytest.raises(PlanRefused):
        desk.plan("clean-up", project_pk=project, **asked(desk))
    Settlement.objects.update(ended_at=timezone.now())
    assert isinstance(desk.plan("clean-up", project_pk=project, **asked(desk)), Plan)


def test_what_was_owed_is_found_once_it_was_merged_back_although_the_first_answer_was_kept(
    desk: Desk, settings: Any, tmp_path: Path
) -> None:
    settings.EVIDENCE_DIR = tmp_path / "evidence"
    project = make_project().pk
    FactStore(settings.EVIDENCE_DIR / f"{project}.sqlite3").close()
    with pytest.raises(PlanRefused):
        desk.plan("clean-up", project_pk=project, **asked(desk))
    merge_back(desk, "pick")
    assert isinstance(desk.plan("clean-up", project_pk=project, **asked(desk)), Plan)


def test_chores_are_never_owed(desk: Desk) -> None:
    desk.repo.branch("hotfix/BUMP", "v1.2.0")
    desk.repo.commit({"VERSION": "1.2.5\n"}, "Bump version to 1.2.5", branch="hotfix/BUMP")
    head = desk.repo.sha("hotfix/BUMP")
    want = {"branch": "hotfix/BUMP", "head": head, "targets": ["develop"], "commits": [head]}
    assert isinstance(desk.plan("clean-up", **want), Plan)


def test_a_squashed_finish_leaves_a_branch_that_can_go(tmp_path: Path) -> None:
    desk = make_desk(tmp_path)
    desk.repo.commit({"app.py": line_changed(30, "more", line_changed(5, "mended"))}, "TICKET-1 more", branch=BRANCH)
    desk.do("finish", branch=BRANCH, production="main", tag="v1.2.1", message="mend", method="squash")
    with pytest.raises(PlanRefused):
        desk.plan("clean-up", **asked(desk))
    merge_back(desk, "pick")
    assert isinstance(desk.plan("clean-up", **asked(desk)), Plan)
