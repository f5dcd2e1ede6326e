"""The life of a run: from a request through its steps to the end, and on to the next environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from releases.deploys.errors import DeployRefused
from releases.deploys.lanes import lane_of
from releases.deploys.models import Environment, Run
from releases.deploys.promoting import run_follow_up, runs_to_follow_up, shipping_observe
from releases.deploys.requesting import build_request, deploy_request
from releases.deploys.spec import StepKind, StepSpec, Trigger
from releases.hotfixes.models import Hotfix
from releases.ledger.models import Event
from releases.tasks import sweep_now
from tests.factories import make_environment, make_user

from .shop import Shop, again, carried, events_of, make_shop, states

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return make_shop(tmp_path)


def built(shop: Shop, tag: str = "v1.0.1", **how: str) -> Run:
    run, _made = build_request(shop.project, shop.release(tag), trigger="person", **how)
    return carried(run)


def in_staging(shop: Shop, tag: str = "v1.0.1") -> Run:
    """Built, and asked for in staging by itself."""
    build = built(shop, tag)
    assert build.error_text == ""
    return Run.objects.get(environment__name="staging", tag=tag, build=build)


def test_a_tag_goes_through_build_staging_and_production(shop: Shop) -> None:
    build, made = build_request(shop.project, shop.release("v1.0.1"), trigger="person")
    assert made
    build = carried(build)
    assert (build.state, build.error_text, states(build)) == ("done", "", ["done", "done"])
    assert build.digest.startswith("sha256:")
    assert Path(build.artifact).is_file()
    staging = Run.objects.get(environment=shop.place("staging"))
    facts = (staging.state, staging.trigger, staging.build, staging.digest)
    assert facts == ("queued", "promotion", build, build.digest)
    assert (carried(staging).state, states(staging)) == ("done", ["done", "done"])
    production = Run.objects.get(environment=shop.place("production"))
    assert carried(production).state == "done"
    assert shop.place("production").live == production
    assert (shop.folder / "production" / "TAG").read_text() == "v1.0.1\n"
    assert (shop.folder / "production" / "app.py").read_text() == "shop v1.0.1\n"
    assert shop.did() == [
        "tests v1.0.1", "build v1.0.1", "deploy staging v1.0.1", "verify staging v1.0.1", "deploy production v1.0.1",
        "verify production v1.0.1",
    ]  # fmt: skip
    assert events_of(production) == ["run.queued", "run.started", "run.live", "run.verified"]
    assert again(production).verified_at is not None


def test_what_is_carried_out_twice_happens_once(shop: Shop) -> None:
    run, _made = build_request(shop.project, shop.release("v1.0.1"), trigger="person")
    assert carried(run).state == "done"
    did = shop.did()
    assert carried(run).state == "done"
    assert shop.did() == did
    assert run_follow_up(again(run)) == []
    assert Run.objects.filter(environment__name="staging").count() == 1


def test_a_release_is_built_once(shop: Shop) -> None:
    build = built(shop)
    same, made = build_request(shop.project, shop.release("v1.0.1"), trigger="person")
    assert (same.pk, made) == (build.pk, False)
    other, made = build_request(shop.project, shop.release("v1.0.1"), trigger="person", again=True)
    assert made
    assert build_request(shop.project, shop.release("v1.0.1"), trigger="tag") == (other, False)


def test_a_pipeline_that_builds_otherwise_needs_a_new_build(shop: Shop) -> None:
    build = built(shop)
    steps = shop.steps()
    shop.pipeline(*steps[:3])  # deploys otherwise, builds the same
    assert build_request(shop.project, shop.release("v1.0.1"), trigger="person")[0].pk == build.pk
    shop.pipeline(StepSpec("lint", StepKind.CHECK, "true"), *steps)
    assert build_request(shop.project, shop.release("v1.0.1"), trigger="person")[1]


def test_who_asks_for_the_same_deployment_gets_the_one_that_stands(shop: Shop) -> None:
    run = in_staging(shop)
    assert deploy_request(shop.place("staging"), shop.release("v1.0.1"), trigger="person") == (run, False)
    Run.objects.filter(pk=run.pk).update(state="running")
    assert deploy_request(shop.place("staging"), shop.release("v1.0.1"), trigger="person") == (run, False)


def test_another_pipeline_voids_what_waits_and_is_asked_for_anew(shop: Shop) -> None:
    run = in_staging(shop)
    shop.pipeline(*shop.steps()[:3])
    fresh, made = deploy_request(shop.place("staging"), shop.release("v1.0.1"), trigger="person")
    assert made
    assert again(run).state == "void"
    assert states(fresh) == ["todo"]


def test_a_deployment_without_a_build_builds_first_and_goes_exactly_there(shop: Shop) -> None:
    mira = make_user("mira")
    make_environment(shop.project, "canary", order=0)
    build, made = deploy_request(shop.place("staging"), shop.release("v1.0.1"), trigger="person", actor=mira)
    assert (build.kind, made) == ("build", True)
    assert deploy_request(shop.place("staging"), shop.release("v1.0.1"), trigger="command") == (build, False)
    assert carried(build).state == "done"
    asked = Run.objects.get(kind="deploy")
    assert (asked.environment, asked.trigger, asked.asked_by) == (shop.place("staging"), "person", mira)


def test_a_build_that_was_due_anyway_goes_both_ways(shop: Shop) -> None:
    make_environment(shop.project, "canary", order=0, watch_seconds=0)
    build, _made = build_request(shop.project, shop.release("v1.0.1"), trigger="tag")
    assert deploy_request(shop.place("staging"), shop.release("v1.0.1"), trigger="person") == (build, False)
    carried(build)
    names = set(Run.objects.filter(kind="deploy").values_list("environment__name", flat=True))
    assert names == {"canary", "staging"}


def test_production_wants_the_artifact_that_staging_saw(shop: Shop) -> None:
    """A pipeline that was changed meanwhile builds anew: what comes of it has been nowhere yet."""
    assert carried(in_staging(shop)).state == "done"
    steps = shop.steps()
    shop.pipeline(StepSpec("build", StepKind.BUILD, "mkdir out; cp app.py README out/", artifact="out"), *steps[2:])
    build, made = deploy_request(shop.place("production"), shop.release("v1.0.1"), trigger="person")
    assert (build.kind, made) == ("build", True)
    assert carried(build).state == "done"
    assert not Run.objects.filter(environment=shop.place("production"), pipeline=build.pipeline).exists()
    stopped = Event.objects.filter(kind="run.stopped").latest("pk")
    assert "v1.0.1 has not passed staging with the artifact that would ship." in stopped.why
    assert deploy_request(shop.place("production"), shop.release("v1.0.1"), trigger="person", why="Tried.")[1]


def test_production_wants_to_see_staging_first_or_a_reason(shop: Shop) -> None:
    built(shop)
    with pytest.raises(DeployRefused) as refused:
        deploy_request(shop.place("production"), shop.release("v1.0.1"), trigger="person")
    assert refused.value.code == "not-passed"
    assert refused.value.sentence == "v1.0.1 has not passed staging. Say why it may go on all the same."
    run, made = deploy_request(
        shop.place("production"), shop.release("v1.0.1"), trigger="person", why="Staging is down."
    )
    assert made
    assert run.why == "Staging is down."


def test_what_cannot_be_is_refused_in_a_sentence(shop: Shop) -> None:
    release, place = shop.release("v1.0.1"), shop.place("staging")
    shop.pipeline(StepSpec("tests", StepKind.CHECK, "true"))
    with pytest.raises(DeployRefused, match="no step that deploys to staging"):
        deploy_request(place, release, trigger="person")
    Environment.objects.filter(pk=place.pk).update(retired_at=release.first_seen_at)
    with pytest.raises(DeployRefused, match="staging is out of use"):
        deploy_request(shop.place("staging"), release, trigger="person")
    release.deleted_at = release.first_seen_at
    with pytest.raises(DeployRefused, match="is gone from the repository"):
        build_request(shop.project, release, trigger="person")
    shop.project.pipelines.all().delete()
    with pytest.raises(DeployRefused, match="has no pipeline yet"):
        build_request(shop.project, shop.release("v1.0.0"), trigger="person")


def test_where_people_must_approve_it_waits_for_them(tmp_path: Path) -> None:
    shop = make_shop(tmp_path, "production", approvals=1)
    built(shop)
    run = Run.objects.get(kind="deploy")
    assert (run.state, carried(run).state) == ("asked", "asked")
    assert "run.asked" in events_of(run)


def test_hotfixes_take_their_own_way(shop: Shop) -> None:
    make_environment(shop.project, "hotfix-staging", hotfixes="only", watch_seconds=0)
    Environment.objects.filter(name="staging").update(hotfixes="skip")
    only_release = StepSpec("all tests", StepKind.CHECK, shop.says("all"), lanes=("release",))
    shop.pipeline(only_release, *shop.steps())
    shop.hotfix("v1.0.2")
    build = built(shop, "v1.0.2")
    assert (build.lane, states(build)) == ("hotfix", ["done", "done"])
    first = Run.objects.get(kind="deploy")
    assert (first.environment.name if first.environment else "", first.lane) == ("hotfix-staging", "hotfix")
    assert carried(first).state == "done"
    assert Run.objects.filter(environment__name="production").exists()
    assert not Run.objects.filter(environment__name="staging").exists()


def test_the_lane_is_what_the_ticket_says(shop: Shop) -> None:
    shop.tag("v1.1.0")
    shop.look()
    assert lane_of(shop.release("v1.1.0")).lane == "release"
    ticket = Hotfix.objects.create(project=shop.project, key="TICKET-8", title="Rounds wrongly", tag="v1.1.0")
    assert lane_of(shop.release("v1.1.0")).lane == "hotfix"
    ticket.triage = {"says": "regular"}
    ticket.save()
    assert lane_of(shop.release("v1.1.0")).lane == "release"
    assert lane_of(shop.release("v1.0.0")).lane == "release"


def test_it_does_not_go_on_by_itself_where_a_person_has_to_ask(shop: Shop) -> None:
    Environment.objects.filter(name="staging").update(promotes=False)
    built(shop)
    assert not Run.objects.filter(kind="deploy").exists()


def test_it_does_not_go_on_below_what_runs_there(shop: Shop) -> None:
    newer = in_staging(shop, "v1.0.1")
    assert carried(newer).state == "done"
    older = built(shop, "v1.0.0")
    assert not Run.objects.filter(environment__name="staging", tag="v1.0.0").exists()
    stopped = Event.objects.get(kind="run.stopped", subject=f"run:{older.pk}")
    assert stopped.why == "v1.0.0 does not go on to staging by itself: v1.0.1, which is newer, runs there."


def test_what_a_worker_that_died_could_not_ask_for_is_asked_for_by_the_sweep(shop: Shop) -> None:
    build, _made = build_request(shop.project, shop.release("v1.0.1"), trigger="person")
    Run.objects.filter(pk=build.pk).update(state="done", digest="sha256:1")
    assert [run.pk for run in runs_to_follow_up()] == [build.pk]
    build.steps.update(state="done")
    assert [run.environment for run in run_follow_up(build)] == [shop.place("staging")]
    assert runs_to_follow_up() == []


# --- the repository -------------------------------------------------------------------------------------------------


def test_a_new_tag_is_built_by_itself_and_only_a_new_one(shop: Shop) -> None:
    shop.pipeline(trigger=Trigger.TAG)
    assert shipping_observe(shop.project) == []
    shop.tag("v1.0.2")
    shop.look()
    runs = shipping_observe(shop.project)
    assert [(run.tag, run.trigger, run.kind) for run in runs] == [("v1.0.2", "tag", "build")]
    assert shipping_observe(shop.project) == []
    assert carried(runs[0]).state == "done"
    assert shipping_observe(shop.project) == []


def test_tags_are_not_built_by_themselves_where_a_person_does_it(shop: Shop) -> None:
    shop.tag("v1.0.2")
    shop.look()
    assert shipping_observe(shop.project) == []
    shop.pipeline(*shop.steps()[:3], trigger=Trigger.TAG)
    assert shipping_observe(shop.project) == []


def test_a_tag_that_moves_stops_what_waits_and_what_follows(shop: Shop) -> None:
    waits = in_staging(shop)
    shop.repo.git("tag", "-f", "v1.0.1", shop.repo.sha("v1.0.0"))
    shop.look()
    shipping_observe(shop.project)
    assert again(waits).state == "void"
    assert again(waits).error_text.startswith("The tag v1.0.1 was moved")
    build = Run.objects.get(kind="build")
    Run.objects.filter(pk=build.pk).update(followed_at=None)
    assert run_follow_up(build) == []
    assert Event.objects.get(kind="run.stopped").why.startswith("v1.0.1 names ")


def test_a_tag_that_moves_after_it_was_queued_is_not_begun(shop: Shop) -> None:
    waits = in_staging(shop)
    release = shop.release("v1.0.1")
    release.commit = "f" * 40
    release.save()
    assert carried(waits).state == "void"
    assert "deploy staging v1.0.1" not in shop.did()


def test_the_stages_of_a_ticket_follow(shop: Shop) -> None:
    ticket = shop.hotfix("v1.0.2")
    run = in_staging(shop, "v1.0.2")
    shop.project.refresh_from_db()
    told = Event.objects.filter(subject="release:v1.0.2", kind__startswith="stage.").order_by("pk")
    assert [(event.kind, event.new) for event in told] == [
        ("stage.tests", "running"), ("stage.tests", "done"), ("stage.build", "running"), ("stage.build", "done"),
        ("stage.staging", "waiting"),
    ]  # fmt: skip
    assert reached(ticket) == {"tests": "done", "build": "done", "staging": "waiting", "approval": "skipped"}
    assert carried(run).state == "done"
    carried(Run.objects.get(environment__name="production"))
    newest = {event.kind: event.new for event in told.all()}
    assert (newest["stage.production"], newest["stage.verify"]) == ("done", "done")
    assert reached(ticket, "staging", "production", "verify") == dict.fromkeys(
        ("staging", "production", "verify"), "done"
    )


def reached(ticket: Hotfix, *keys: str) -> dict[str, str]:
    """The stages of a ticket as its page shows them."""
    ticket.refresh_from_db()
    wanted = keys or ("tests", "build", "staging", "approval")
    return {stage["key"]: stage["state"] for stage in ticket.stages if stage["key"] in wanted}


def test_the_sweep_lets_go_of_what_waits_for_a_former_pipeline(tmp_path: Path) -> None:
    shop = make_shop(tmp_path, "staging", approvals=1)
    built(shop)
    run = Run.objects.get(kind="deploy")
    sweep_now()
    assert again(run).state == "asked"
    shop.pipeline(*shop.steps()[:3])
    sweep_now()
    assert again(run).state == "void"
    assert "pipeline was changed" in again(run).error_text
