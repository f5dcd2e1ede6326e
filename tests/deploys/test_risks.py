"""What deserves a look before somebody says yes, what comes after, and how it is taken back."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from releases.deploys.aftermath import owes_after, proofs_of, rollback_plan, staged
from releases.deploys.bad_releases import release_mark_bad
from releases.deploys.delta import delta_of
from releases.deploys.freezing import freeze_add
from releases.deploys.models import Environment, Run
from releases.deploys.risks import BAD, LOOK, OK, Risk, risks_of, touched
from releases.deploys.spec import StepKind, StepSpec
from releases.git.page_reads import FileCount
from releases.policies.flow import FlowPolicy
from releases.policies.keeping_up import project_refresh
from releases.projects.models import Project
from releases.projects.services import fetch_request
from releases.projects.services.mirrors import mirror_folder
from tests.factories import (
    make_build,
    make_environment,
    make_fix,
    make_pipeline,
    make_shipment,
    make_step,
    make_target,
    make_verdict,
)

from .asking import APP, Shop, make_shop

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop(tmp_path: Path, settings: Any) -> Shop:
    return make_shop(tmp_path, settings)


def signals(run: Run) -> dict[str, Risk]:
    return {risk.code: risk for risk in risks_of(run)}


def policy(shop: Shop, **fields: Any) -> None:
    data = FlowPolicy(**fields).as_data()
    Project.objects.filter(pk=shop.project.pk).update(policy=data)
    shop.project.policy = data


def tagged(shop: Shop, files: dict[str, Any], tag: str = "v1.0.2", **commit: Any) -> Run:
    """A request for a release with these changes, as a hotfix."""
    shop.repo.commit(files, "Change", author="jonas", **commit)
    shop.repo.tag(tag, message=f"Version {tag}")
    return shop.request(tag, lane="hotfix")


# --- of the change ----------------------------------------------------------------------------------------------------


def test_a_small_fix_worries_nobody(shop: Shop) -> None:
    shop.repo.clock = int(timezone.now().timestamp()) - 7200
    shop.runs("v1.0.1")
    found = signals(tagged(shop, {"app.py": APP.replace("line 9\n", "line nine\n")}))
    assert found["size"] == Risk("size", "Size", "4 lines in 1 file, limit 40 in 5.", OK)
    assert {
        code: found[code].tone for code in ("critical", "age", "migration", "dependency", "setting")
    } == dict.fromkeys(("critical", "age", "migration", "dependency", "setting"), OK)
    assert found["age"].says.startswith("Its first commit is 1 h 5")


def test_migrations_dependencies_and_settings_are_named(shop: Shop) -> None:
    found = signals(
        tagged(shop, {"app/migrations/0007_x.py": "x\n", "requirements.txt": "x\n", "app/settings/base.py": "x\n"})
    )
    assert {code: (found[code].tone, found[code].paths) for code in ("migration", "dependency", "setting")} == {
        "migration": (LOOK, ("app/migrations/0007_x.py",)),
        "dependency": (LOOK, ("requirements.txt",)),
        "setting": (LOOK, ("app/settings/base.py",)),
    }


def test_the_teams_own_critical_paths_come_first(shop: Shop) -> None:
    policy(shop, risky_paths=("critical=payouts/**", "money=ledger/**", "migration=**/migrations/**"))
    run = tagged(shop, {"payouts/split.py": "x\n", "ledger/book.py": "x\n", "payouts/migrations/1.py": "x\n"})
    found = risks_of(Run.objects.select_related("project", "release", "environment", "pipeline").get(pk=run.pk))
    assert [(risk.code, risk.title, risk.paths) for risk in found[:2]] == [
        ("critical", "Money", ("ledger/book.py",)),
        ("critical", "Critical path", ("payouts/migrations/1.py", "payouts/split.py")),
    ]


def test_a_watched_file_among_many_is_not_overlooked(shop: Shop) -> None:
    files = {f"a/{number:04}.py": "x\n" for number in range(900)} | {"z/migrations/1.sql": "x\n"}
    found = signals(tagged(shop, files))
    assert found["migration"].paths == ("z/migrations/1.sql",)
    assert found["size"].tone == LOOK


def test_each_file_counts_for_the_first_rule_that_fits() -> None:
    rules = FlowPolicy(risky_paths=("setting=*.toml", "dependency=pyproject.toml", "odd", "=x", "empty="))
    found = touched([FileCount("pyproject.toml", 1, 0), FileCount("x", 1, 0)], rules)
    assert found == {"setting": ("pyproject.toml",)}


def test_limits_are_for_hotfixes_and_not_for_releases(shop: Shop) -> None:
    run = tagged(shop, {"big.py": "line\n" * 100})
    assert signals(run)["size"].tone == LOOK
    run.lane = Run.Lane.RELEASE
    assert signals(run)["size"] == Risk("size", "Size", "102 lines in 2 files.", OK)


def test_old_changes_are_worth_a_look(shop: Shop) -> None:
    release = shop.request(lane="hotfix")
    assert signals(release)["age"].tone == LOOK  # its commits are of January
    Run.objects.filter(pk=release.pk).update(lane="release")
    release.lane = Run.Lane.RELEASE
    assert signals(release)["age"].tone == LOOK
    type(release.release).objects.update(tagged_at=timezone.now() - timedelta(days=2))
    release = Run.objects.select_related("project", "release", "environment", "pipeline").get(pk=release.pk)
    assert signals(release)["age"] == Risk("age", "Age", "Tagged 2 d ago.", OK)


def test_what_cannot_be_told_worries(shop: Shop) -> None:
    run = shop.request()
    mirror_folder(shop.project).rename(mirror_folder(shop.project).with_suffix(".away"))
    found = signals(run)
    assert found["unknown"].tone == BAD
    assert found["gate"].tone == LOOK
    assert "could not be told" in found["gate"].says


# --- of what runs, and where ------------------------------------------------------------------------------------------


def test_a_step_back_and_drift_are_said(shop: Shop) -> None:
    shop.runs("v1.0.1")
    assert signals(shop.request("v1.0.0"))["backwards"].says == "It takes 1 commit away that run there now."
    probe = {"kind": "http-text", "url": "http://127.0.0.1/"}
    Environment.objects.filter(pk=shop.place.pk).update(probe=probe, seen="something else", seen_at=timezone.now())
    run = Run.objects.select_related("project", "release", "environment__live", "pipeline").get(
        pk=shop.request("v1.0.0", place=make_environment(shop.project, "other")).pk
    )
    assert "drift" not in signals(run)
    run = Run.objects.select_related("project", "release", "environment__live", "pipeline").get(
        tag="v1.0.0", state="asked", environment=shop.place
    )
    assert signals(run)["drift"].tone == LOOK


def test_a_freeze_now_and_one_that_is_near(shop: Shop) -> None:
    run, now = shop.request(), timezone.now()
    assert signals(run)["freeze"] == Risk("freeze", "Freeze window", "None now, none planned.", OK)
    freeze_add(shop.place, "Audit", starts_at=now + timedelta(days=3), ends_at=now + timedelta(days=4))
    assert signals(run)["freeze"].tone == OK
    freeze_add(shop.place, "Sale", starts_at=now + timedelta(hours=3), ends_at=now + timedelta(days=1))
    assert signals(run)["freeze"].tone == LOOK
    assert signals(run)["freeze"].says.endswith("(UTC): Sale")
    freeze_add(shop.place, "Fire", starts_at=now - timedelta(hours=3), ends_at=now + timedelta(hours=1))
    assert signals(run)["freeze"].says.startswith("Frozen until")
    assert run.environment is not None
    run.environment.time_zone = "Europe/Berlin"
    assert signals(run)["freeze"].says.endswith(" (Europe/Berlin): Fire")


def test_other_deployments_are_named_and_worry_where_they_are_near(shop: Shop) -> None:
    run = shop.request()
    assert signals(run)["deploys"].says == "Nothing else is deploying."
    make_shipment(make_environment(shop.project, "staging"), "v1.1.0", state="running")
    assert signals(run)["deploys"] == Risk("deploys", "Other deploys", "On its way: v1.1.0 to staging.", OK)
    make_shipment(shop.place, "v0.9.0", state="watching")
    assert signals(run)["deploys"].tone == LOOK


def test_a_release_that_was_taken_back_and_one_that_contains_it(shop: Shop) -> None:
    run = shop.request()
    assert signals(run)["bad"].tone == OK
    release_mark_bad(shop.project, "v1.0.1", run.commit, "It loses orders.")
    assert signals(run)["bad"] == Risk(
        "bad", "Taken back before", "v1.0.1 itself was taken back: It loses orders.", BAD
    )
    later = signals(tagged(shop, {"b.py": "b\n"}))["bad"]
    assert later.tone == BAD
    assert "still contains the change of v1.0.1" in later.says


def test_a_release_that_brings_a_fixed_bug_back(tmp_path: Path, settings: Any) -> None:
    shop = make_shop(tmp_path / "one", settings)
    remote = mirror_folder(shop.project).rename(tmp_path / "remote.git")
    repo = type(shop.repo)(tmp_path / "unused.git")
    repo.path = repo.git_dir = remote
    repo.branch("release/1.1", "v1.0.0")
    repo.commit({"new.py": "new\n"}, "Something new", branch="release/1.1", author="lena")
    repo.tag("v1.1.0", "release/1.1", message="Version 1.1.0")
    policy(shop, production=("main",), targets=("release/*",))
    Project.objects.filter(pk=shop.project.pk).update(remote_url=str(remote), operator_path=True)
    project = Project.objects.get(pk=shop.project.pk)
    ended = project_refresh(fetch_request(project, "command").pk, "test")
    assert ended is not None
    assert ended.state == "done", ended.error_text
    release = project.releases.get(tag="v1.1.0")
    build = make_build(project, "v1.1.0", commit=release.commit, tag_object=release.tag_object, release=release)
    run = make_shipment(
        shop.place, "v1.1.0", state="asked", release=release, build=build, commit=release.commit,
        tag_object=release.tag_object,
    )  # fmt: skip
    run = Run.objects.select_related("project", "release__previous", "environment__live", "pipeline").get(pk=run.pk)
    assert signals(run)["gate"].tone == BAD
    kept = project.releases.get(tag="v1.0.1")
    run.release, run.tag, run.commit = kept, "v1.0.1", kept.commit
    assert signals(run)["gate"].tone == OK


# --- afterwards -------------------------------------------------------------------------------------------------------


def test_what_it_owes_is_what_its_fixes_targets_lack(shop: Shop) -> None:
    run = shop.request()
    assert run.release is not None
    fix = make_fix(shop.project, "Mend it", release=run.release, ticket="TICKET-7")
    make_verdict(fix, make_target(shop.project, "develop"), preview={"clean": True})
    make_verdict(
        fix, make_target(shop.project, "release/2", kind="release"), preview={"clean": False, "conflicts": ["app.py"]},
        detail="conflicts in 1 file",
    )  # fmt: skip
    make_verdict(fix, make_target(shop.project, "old", closed_at=timezone.now()))
    assert [(owed.branch, owed.ticket, owed.clean, owed.says) for owed in owes_after(run)] == [
        ("develop", "TICKET-7", True, "develop lacks it. A trial merge is clean, so it is one step."),
        ("release/2", "TICKET-7", False, "release/2 lacks it, and a trial merge has conflicts in 1 file."),
    ]


def test_the_plan_to_take_it_back(shop: Shop) -> None:
    now = timezone.now()
    Run.objects.filter(environment=shop.place).update(started_at=now - timedelta(seconds=48), live_at=now)
    run = shop.request()
    plan = rollback_plan(run)
    assert plan is not None
    assert (plan.to, plan.possible, plan.automatic) == (shop.place.live, True, False)
    assert (plan.steps, plan.seconds) == (("switch",), 48.0)
    assert plan.says == (
        "By hand: “Roll back” brings v1.0.0 back, about 48 s.", "Data: nothing to undo, no migration.",
    )  # fmt: skip
    Environment.objects.filter(pk=shop.place.pk).update(rolls_back=True)
    run = tagged(shop, {"app/migrations/2.py": "x\n"})
    plan = rollback_plan(
        Run.objects.select_related("project", "release", "environment__live", "pipeline").get(pk=run.pk)
    )
    assert plan is not None
    assert plan.automatic
    assert plan.says[0] == "Automatic: back to v1.0.0 when the verification fails."
    assert plan.says[-1] == "Data: app/migrations/2.py is not undone by taking the release back."


def test_without_anything_before_nothing_can_be_brought_back(shop: Shop) -> None:
    run = shop.request(place=make_environment(shop.project, "other", approvals=1))
    plan = rollback_plan(run)
    assert plan is not None
    assert not plan.possible
    assert plan.says == ("Nothing that ran well there before is known, so nothing can be brought back.",)


def test_a_rollback_by_steps_of_its_own_names_them(shop: Shop) -> None:
    pipeline = make_pipeline(
        shop.project, StepSpec("switch", StepKind.DEPLOY, "true"), StepSpec("switch back", StepKind.ROLLBACK, "true")
    )
    plan = rollback_plan(shop.request(pipeline=pipeline))
    assert plan is not None
    assert plan.steps == ("switch back",)


def test_the_proof_is_of_this_very_artifact(shop: Shop) -> None:
    staging, other = (make_environment(shop.project, name, order=n) for n, name in enumerate(("staging", "other")))
    run = shop.request()
    assert run.build is not None
    make_step(run.build, "tests", "check", state="done")
    make_step(run.build, "never begun", "check")
    facts = {"commit": run.commit, "digest": run.digest, "release": run.release}
    before = make_shipment(staging, "v1.0.1", **facts, state="failed")
    make_step(before, "switch", state="failed")
    there = make_shipment(staging, "v1.0.1", **facts)
    make_step(there, "by hand", "manual", state="done", why="Split a payout.")
    elsewhere = make_shipment(other, "v1.0.1", **(facts | {"digest": f"sha256:{'0' * 64}"}))
    make_step(elsewhere, "by hand", "manual", state="done")
    assert [(proof.where, proof.step.name) for proof in proofs_of(run)] == [("", "tests"), ("staging", "by hand")]
    assert staged(run) == [there]


def test_the_delta_may_be_given_so_that_nothing_is_asked_twice(shop: Shop) -> None:
    run = shop.request()
    delta = delta_of(run)
    assert risks_of(run, delta) == risks_of(run)
    assert rollback_plan(run, delta) == rollback_plan(run)


def test_what_it_should_have_passed_before_and_a_lock_speak_up(shop: Shop) -> None:
    """Whoever approves did not write the reason for which it was let past staging."""
    Environment.objects.filter(pk=shop.place.pk).update(order=9)
    shop.place.refresh_from_db()
    before = make_environment(shop.project, "staging", order=1)
    run = tagged(shop, {"app.py": APP})
    found = signals(run)
    assert (found["skipped"].tone, found["skipped"].says) == (BAD, "It has not passed staging.")
    assert "lock" not in found
    make_shipment(before, run.tag, commit=run.commit, digest=run.digest)
    Environment.objects.filter(pk=shop.place.pk).update(locked_at=timezone.now(), lock_why="The database moves.")
    found = signals(Run.objects.select_related("environment", "pipeline", "project", "release").get(pk=run.pk))
    assert "skipped" not in found
    assert (found["lock"].tone, found["lock"].says) == (
        LOOK,
        "production is locked by the operator until somebody unlocks it: The database moves.",
    )
