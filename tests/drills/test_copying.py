"""The copy: history as it was before a fix, in every way of working, and a conflict that really is one."""

from __future__ import annotations

from pathlib import Path

import pytest

from incidents.drills.copying import Plan, copy_make, plan_copy, repository_folder, traces_of
from incidents.drills.errors import DrillError
from incidents.drills.models import Drill
from incidents.drills.scenarios import offers, replayable
from releases.demo.install import WAYS
from releases.deploys.models import Pipeline
from releases.deploys.settings_services import pipeline_save
from releases.deploys.spec import PipelineSpec, StepKind, StepSpec, Trigger
from releases.git.remotes import object_folders
from releases.policies.models import Fix, Target
from releases.projects.models import Project
from tests.drills.playing import Real, git, make_real, track_real
from tests.factories import make_fix, make_project
from tests.gitrepos import Repo

pytestmark = pytest.mark.django_db
WAYS_OF_WORKING = ("checkout-api", "ledger", "invoice-web", "mobile-bff", "identity", "legacy-batch")
"""GitFlow with a support line, GitFlow, GitFlow; tags from trunk twice; maintenance lines of a shallow history."""


def tracked(repositories: dict[str, Path], name: str) -> Project:
    class Standing:
        path = repositories[name]

    return track_real(Standing(), WAYS[name].policy(), name).project  # type: ignore[arg-type]


def has(folder: Path, sha: str) -> bool:
    return git(folder, "cat-file", "-t", sha, check=False).strip() == "commit"


@pytest.mark.sample(1)
@pytest.mark.parametrize("name", WAYS_OF_WORKING)
def test_the_fix_exists_nowhere_in_the_copy(demo_repositories: dict[str, Path], name: str) -> None:
    project = tracked(demo_repositories, name)
    fixes = list(replayable(project))
    assert fixes
    for number, fix in enumerate(fixes, 1):
        drill = Drill(pk=number, project=project, fix=fix, scenario=Drill.Scenario.REPLAY)
        plan = plan_copy(project, fix)
        copy_make(drill, plan)
        folder = repository_folder(drill)
        assert fix.release is not None
        assert fix.release.previous is not None
        assert plan.begins_at == fix.release.previous.tag
        assert not [sha for sha in traces_of(fix) if has(folder, sha)], fix
        listed = dict(
            line.split()[::-1] for line in git(folder, "for-each-ref", "--format=%(objectname) %(refname)").splitlines()
        )
        assert listed == plan.refs
        assert f"refs/tags/{fix.shipped_in}" not in listed
        assert f"refs/tags/{plan.begins_at}" in listed
        assert f"refs/heads/{plan.target}" in listed
        production = f"refs/heads/{fix.production_ref}"
        if production in listed:
            assert listed[production] == fix.release.previous.commit
        git(folder, "fsck", "--strict")
        # Nothing leads out of it.
        assert git(folder, "config", "--local", "--get-regexp", "^remote", check=False).strip() == ""
        assert object_folders(folder) == [folder / "objects"]
        assert not (folder / "hooks").exists()


def refused(drill: Drill, plan: Plan) -> str:
    """Make the copy; why it cannot be, if so."""
    try:
        copy_make(drill, plan)
    except DrillError as refusal:
        return refusal.sentence
    return ""


@pytest.mark.sample(1)
@pytest.mark.parametrize("name", WAYS_OF_WORKING)
def test_bringing_the_fix_to_its_target_conflicts(
    demo_repositories: dict[str, Path], name: str, tmp_path: Path
) -> None:
    """Of some fixes no conflict can be made; then a sentence says so. In every way of working it can be of others."""
    project = tracked(demo_repositories, name)
    made = 0
    for number, fix in enumerate(replayable(project), 1):
        drill = Drill(pk=number, project=project, fix=fix, scenario=Drill.Scenario.CONFLICT)
        plan = plan_copy(project, fix)
        if refusal := refused(drill, plan):
            assert "no conflict can be made" in refusal
            continue
        clone = tmp_path / f"clone{number}"
        git(tmp_path, "clone", "--quiet", str(repository_folder(drill)), str(clone))
        git(clone, "switch", "--quiet", plan.target) if plan.target != plan.head else None
        # The real fix is fetched from the real repository only here, to see what a participant would see.
        git(clone, "fetch", "--quiet", str(demo_repositories[name]), f"refs/tags/{fix.shipped_in}")
        commits = [str(commit["sha"]) for commit in fix.commits]
        said = git(clone, "cherry-pick", *commits, check=False)
        assert "CONFLICT" in said, (fix.subject, said)
        made += 1
    assert made


def test_a_branch_that_had_nothing_of_its_own_yet_is_left_out(demo_repositories: dict[str, Path]) -> None:
    project = tracked(demo_repositories, "checkout-api")
    first = Fix.objects.get(project=project, shipped_in="v1.1.1", chore=False)
    plan = plan_copy(project, first)
    assert "release/1.3" in plan.left_out
    assert "refs/heads/release/1.3" not in plan.refs
    last = Fix.objects.get(project=project, shipped_in="v1.2.3", chore=False)
    assert "refs/heads/release/1.3" in plan_copy(project, last).refs


def test_a_copy_is_made_anew_over_what_a_killed_worker_left(tmp_path: Path) -> None:
    real = make_real(tmp_path)
    drill = Drill(pk=1, project=real.project, fix=real.fix, scenario=Drill.Scenario.REPLAY)
    folder = repository_folder(drill)
    draft = folder.with_name(f".{folder.name}.draft")
    draft.mkdir(parents=True)
    (draft / "half").write_text("written")
    plan = plan_copy(real.project, real.fix)
    copy_make(drill, plan)
    assert not draft.exists()
    assert not (folder / "half").exists()
    copy_make(drill, plan)
    git(folder, "fsck", "--strict")


# --- what is offered ------------------------------------------------------------------------------------------------


def continuous(project: Project) -> Pipeline:
    build = StepSpec("build", StepKind.BUILD, "true", artifact="out")
    return pipeline_save(project, PipelineSpec(Trigger.MAIN, steps=(build,)))


def test_what_does_not_fit_the_way_of_working_says_why(tmp_path: Path) -> None:
    real: Real = make_real(tmp_path)
    assert [offer.offered for offer in offers(real.project)] == [True, True]
    continuous(real.project)
    replay, conflict = offers(real.project)
    assert replay.offered
    assert "Every merge to the main line is released" in conflict.why_not
    Pipeline.objects.all().delete()
    Target.objects.filter(project=real.project).delete()
    assert "no merge-back that could conflict" in offers(real.project)[1].why_not


def test_without_a_past_nothing_is_offered() -> None:
    project = make_project("young")
    make_fix(project)
    assert not any(offer.offered for offer in offers(project))
    assert "No hotfix of the past" in offers(project)[0].why_not


def test_a_fix_before_every_target_is_refused_with_a_sentence(tmp_path: Path) -> None:
    repo: Repo = make_real(tmp_path).repo
    project = Project.objects.get(name="shop")
    Target.objects.filter(project=project).update(branch="elsewhere")
    with pytest.raises(DrillError, match="existed before it"):
        plan_copy(project, Fix.objects.get(project=project, chore=False))
    assert repo.exists("develop")
