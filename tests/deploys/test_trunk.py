"""Continuous release: a merge to main is tagged by the dashboard and goes to production without a further human act."""

from __future__ import annotations

from pathlib import Path

import pytest

from releases.deploys.models import Environment, Run
from releases.deploys.settings_services import pipeline_save
from releases.deploys.spec import Naming, PipelineSpec, Trigger
from releases.deploys.trunk import trunk_observe
from releases.ledger.models import Event
from releases.operations.models import Operation
from releases.operations.services import operation_claim, operation_fail
from releases.policies.flow import PRESETS, Preset
from releases.projects.models import FetchRun, Project
from releases.projects.services import fetch_request
from releases.tasks import fetch_carry_out, operation_carry_out_here, run_carry_out_here

from .shop import Shop, make_shop

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """A trunk with v1.0.1 whose pipeline releases every merge; everything that is there was there before."""
    shop = make_shop(tmp_path)
    Project.objects.filter(pk=shop.project.pk).update(policy=PRESETS[Preset.TRUNK].as_data())
    shop.project.refresh_from_db()
    shop.repo.commit({"app.py": "shop of old\n"}, "Before", branch="main")
    look(shop)
    shop.pipeline(trigger=Trigger.MAIN)
    return shop


def look(shop: Shop) -> None:
    """One look at the remote, and what a worker does after it."""
    run = fetch_request(shop.project, "person")
    fetched = fetch_carry_out(run.pk)
    assert fetched is not None
    assert (fetched.state, fetched.error_text) == ("done", "")
    shop.project.refresh_from_db()


def merge(shop: Shop, text: str) -> str:
    """A branch with one commit, merged to main by somebody else's tool."""
    name = f"feature/{text}"
    shop.repo.branch(name, "main")
    shop.repo.commit({"app.py": f"shop {text}\n"}, f"Sell {text}", branch=name)
    return shop.repo.merge(name, into="main", message=f"Merge {name}")


def work(shop: Shop) -> None:
    """What the workers do until nothing waits any more: fetches, changes of the remote, runs."""
    for _ in range(30):
        fetch = FetchRun.objects.filter(state="queued").first()
        operation = Operation.objects.filter(state="queued").first()
        run = Run.objects.filter(state="queued").first()
        if fetch is not None:
            fetch_carry_out(fetch.pk)
        elif operation is not None:
            operation_carry_out_here(operation.pk)
        elif run is not None:
            run_carry_out_here(run.pk)
        else:
            return
    raise AssertionError("there is always something left to do")


def tags(shop: Shop) -> list[str]:
    return shop.repo.git("tag", "--sort=creatordate").split()


def test_from_the_merge_to_production_without_a_human_act(shop: Shop) -> None:
    head = merge(shop, "apples")
    look(shop)
    work(shop)
    assert tags(shop) == ["v1.0.0", "v1.0.1", "v1.0.2"]
    assert shop.repo.git("rev-parse", "v1.0.2^{commit}") == head
    assert "- Sell apples" in shop.repo.git("tag", "-l", "--format=%(contents)", "v1.0.2")
    production = shop.place("production").live
    assert production is not None
    assert (production.tag, production.commit, production.state) == ("v1.0.2", head, "done")
    assert (shop.folder / "production" / "app.py").read_text() == "shop apples\n"
    assert shop.did() == [
        "tests v1.0.2", "build v1.0.2", "deploy staging v1.0.2", "verify staging v1.0.2", "deploy production v1.0.2",
        "verify production v1.0.2",
    ]  # fmt: skip
    assert not Run.objects.exclude(asked_by=None).exists()
    assert set(Run.objects.values_list("trigger", flat=True)) == {"main", "promotion"}
    done = Event.objects.get(kind="operation.done")
    assert (done.subject, done.evidence["tag"]) == (f"commit:{head}", "v1.0.2")


def test_an_environment_that_asks_for_a_person_gets_one(shop: Shop) -> None:
    Environment.objects.filter(name="production").update(approvals=1)
    merge(shop, "apples")
    look(shop)
    work(shop)
    assert Run.objects.get(environment=shop.place("production")).state == "asked"
    assert shop.place("staging").live is not None


@pytest.mark.long
def test_each_head_is_tagged_once_whatever_is_looked_at_again(shop: Shop) -> None:
    merge(shop, "apples")
    for _ in range(3):
        look(shop)
        work(shop)
    assert Operation.objects.count() == 1
    assert tags(shop)[-1] == "v1.0.2"
    merge(shop, "pears")
    look(shop)
    work(shop)
    assert tags(shop)[-2:] == ["v1.0.2", "v1.0.3"]
    assert shop.place("production").live.tag == "v1.0.3"  # type: ignore[union-attr]


@pytest.mark.long
def test_named_by_the_day_where_the_policy_says_so(shop: Shop) -> None:
    spec = PipelineSpec(Trigger.MAIN, Naming.DATE, tuple(shop.steps()))
    pipeline_save(shop.project, spec)
    merge(shop, "apples")
    look(shop)
    work(shop)
    day = Operation.objects.get().asked_at
    assert tags(shop)[-1] == f"v{day.year}.{day.month}.{day.day}"
    assert shop.place("production").live.tag == tags(shop)[-1]  # type: ignore[union-attr]


def test_what_was_on_main_before_is_not_released_by_itself(shop: Shop) -> None:
    look(shop)
    assert trunk_observe(shop.project) is None
    assert not Operation.objects.exists()


def test_a_head_that_somebody_tagged_is_left_alone(shop: Shop) -> None:
    merge(shop, "apples")
    shop.repo.tag("v2.0.0", at="main", message="By hand")
    look(shop)
    assert not Operation.objects.exists()
    work(shop)
    assert shop.place("production").live.tag == "v2.0.0"  # type: ignore[union-attr]


def test_nothing_is_tagged_while_a_person_says_that_main_must_not_ship(shop: Shop) -> None:
    Project.objects.filter(pk=shop.project.pk).update(unreleasable_why="The prices are wrong.")
    merge(shop, "apples")
    look(shop)
    assert not Operation.objects.exists()
    Project.objects.filter(pk=shop.project.pk).update(unreleasable_why="")
    look(shop)
    assert Operation.objects.get().kind == "tag"


@pytest.mark.parametrize("trigger", [Trigger.TAG, Trigger.HAND])
def test_other_pipelines_tag_nothing(shop: Shop, trigger: Trigger) -> None:
    shop.pipeline(trigger=trigger)
    merge(shop, "apples")
    look(shop)
    assert not Operation.objects.exists()


def test_another_version_of_the_pipeline_does_not_forget_a_merge(shop: Shop) -> None:
    merge(shop, "apples")
    steps = shop.steps()
    shop.pipeline(*steps[:-1], trigger=Trigger.MAIN)
    look(shop)
    assert Operation.objects.count() == 1


def test_what_could_not_be_tagged_is_not_asked_for_again_and_again(shop: Shop) -> None:
    merge(shop, "apples")
    look(shop)
    operation = operation_claim(Operation.objects.get().pk, "test")
    assert operation is not None
    operation_fail(operation, "refused", "The server takes no tags.", untouched=True)
    look(shop)
    assert Operation.objects.count() == 1
    assert trunk_observe(shop.project) is None
