"""Environments, pipeline versions and secrets as they are kept."""

from __future__ import annotations

from dataclasses import replace

import pytest

from releases.deploys.environment_services import (
    environment_add,
    environment_retire,
    environment_save,
    environments_of,
    environments_order,
    shipping_set_up,
)
from releases.deploys.models import DeploySecret, Environment, Pipeline, Run
from releases.deploys.presets import skeleton
from releases.deploys.settings_services import (
    SecretMissing,
    SettingsRefused,
    pipeline_of,
    pipeline_save,
    secret_remove,
    secret_set,
    secret_values,
)
from releases.deploys.spec import PipelineSpec, StepKind, StepSpec, Trigger
from releases.ledger.models import Event
from tests.factories import make_project, make_user

pytestmark = pytest.mark.django_db
SPEC = PipelineSpec(steps=(StepSpec("Tests", StepKind.CHECK, "make test"),))


def test_setting_up_gives_the_usual_environments_and_leaves_what_there_is() -> None:
    project = make_project()
    shipping_set_up(project)
    rows = environments_of(project)
    assert [(row.name, row.hotfixes, row.approvals) for row in rows] == [
        ("hotfix-staging", "only", 0),
        ("staging", "skip", 0),
        ("production", "must", 1),
    ]
    first = pipeline_of(project)
    assert first is not None
    assert PipelineSpec.from_data(first.spec) == skeleton()
    assert PipelineSpec.from_data(first.spec).trigger is Trigger.HAND
    environment_save(rows[2], approvals=2)
    shipping_set_up(project)
    assert environments_of(project)[2].approvals == 2
    assert Pipeline.objects.filter(project=project).count() == 1


def test_a_pipeline_is_never_changed_only_followed_by_the_next() -> None:
    project, admin = make_project(), make_user("ada", "administrator")
    first = pipeline_save(project, SPEC, note="The first", actor=admin)
    assert pipeline_save(project, SPEC, note="The same again", actor=admin) == first
    second = pipeline_save(project, replace(SPEC, trigger=Trigger.HAND), actor=admin)
    assert (first.version, second.version) == (1, 2)
    assert pipeline_of(project) == second
    first.refresh_from_db()
    assert first.spec["trigger"] == "tag"
    rows = Event.objects.filter(kind="pipeline.saved").order_by("pk").values_list("actor_name", "old", "new")
    assert list(rows) == [("ada", "", "1"), ("ada", "1", "2")]


def test_a_pipeline_that_cannot_run_is_refused_and_nothing_is_kept() -> None:
    project = make_project()
    with pytest.raises(SettingsRefused) as refusal:
        pipeline_save(project, PipelineSpec(steps=(StepSpec("", StepKind.CHECK),)))
    assert refusal.value.problems == ["Step 1: give it a name.", "Step 1: a check step needs a command."]
    assert pipeline_of(project) is None


def test_an_edit_of_an_older_version_is_refused() -> None:
    project = make_project()
    pipeline_save(project, SPEC, after=0)
    pipeline_save(project, replace(SPEC, trigger=Trigger.HAND), after=1)
    with pytest.raises(SettingsRefused, match="Version 2 was saved meanwhile"):
        pipeline_save(project, replace(SPEC, trigger=Trigger.MAIN), after=1)


def test_an_environment_is_changed_field_by_field_and_says_what_changed() -> None:
    project, admin = make_project(), make_user("ada", "administrator")
    mira = make_user("mira", "release-manager", projects=[project])
    row = environment_add(project, "production", kind="production", actor=admin)
    assert environment_save(row, approvals=2, url="", approvers=[mira], actor=admin) == ["approvals", "approvers"]
    assert environment_save(row, approvals=2, approvers=[mira], actor=admin) == []
    told = Event.objects.get(kind="environment.changed")
    assert told.evidence["changed"] == {
        "approvals": {"old": 0, "new": 2},
        "approvers": {"old": [], "new": ["mira"]},
    }


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("approvals", 10, "A number from 0 to 9."),
        ("approval_hours", 0, "1"),
        ("probe_every", 4, "5"),
        ("watch_seconds", 172_801, "A number from 0 to 172,800."),
        ("url", "javascript:alert(1)", "URL"),
        ("url", "ftp://files.example.com/", "begins with http"),
        ("time_zone", "Mars/Olympus", "“Mars/Olympus” is no time zone"),
        ("approver_role", "viewer", "may not approve"),
        ("breakers_role", "viewer", "may not ship"),
        ("kind", "moon", "not a valid choice"),
    ],
)
def test_what_cannot_be_set_is_refused_with_its_field(field: str, value: object, says: str) -> None:
    row = environment_add(make_project(), "staging")
    with pytest.raises(SettingsRefused) as refusal:
        environment_save(row, **{field: value})
    assert refusal.value.field == field
    assert says in str(refusal.value)
    assert environment_save(row, rolls_back=True) == ["rolls_back"]


@pytest.mark.parametrize("name", ["", "Prod", "-x", "a b", "a/b", "a" * 61, "prod\n"])
def test_a_name_that_cannot_stand_in_an_address_is_refused(name: str) -> None:
    with pytest.raises(SettingsRefused) as refusal:
        environment_add(make_project(), name)
    assert refusal.value.field == "name"


def test_another_probe_forgets_what_the_former_one_said() -> None:
    row = environment_add(make_project(), "staging")
    Environment.objects.filter(pk=row.pk).update(seen="v1", healthy=False, probe_error="No answer.")
    environment_save(row, url="https://shop.example.com/")
    row.refresh_from_db()
    assert row.seen == "v1"
    environment_save(row, probe={"kind": "http-text", "url": "https://shop.example.com/version"})
    row.refresh_from_db()
    assert (row.seen, row.healthy, row.probe_error) == ("", None, "")
    assert row.next_probe_at is not None


def test_environments_are_put_into_order() -> None:
    project = make_project()
    for name in ("one", "two", "three"):
        environment_add(project, name)
    assert environments_order(project, ["three", "one"])
    assert [row.name for row in environments_of(project)] == ["three", "one", "two"]
    assert not environments_order(project, ["three", "one", "two"])


def test_an_environment_is_taken_out_of_use_only_when_nothing_goes_there() -> None:
    project = make_project()
    row = environment_add(project, "staging", approvals=1)
    pipeline = pipeline_save(project, SPEC)
    run = Run.objects.create(
        project=project, kind="deploy", environment=row, state="queued", tag="v1", commit="a" * 40, pipeline=pipeline,
        trigger="person",
    )  # fmt: skip
    with pytest.raises(SettingsRefused, match="runs or waits"):
        environment_retire(row)
    Run.objects.filter(pk=run.pk).update(state="done")
    environment_retire(row)
    assert environments_of(project) == []
    back = environment_add(project, "staging")
    assert back.pk == row.pk
    told = Event.objects.filter(kind__startswith="environment.").order_by("pk").values_list("kind", flat=True)
    assert list(told) == ["environment.added", "environment.retired", "environment.restored"]


def test_a_secret_is_kept_encrypted_and_stands_in_no_ledger_row() -> None:
    project = make_project()
    secret_set(project, "DEPLOY_TOKEN", "hunter2-hunter2")
    secret_set(project, "DEPLOY_TOKEN", "hunter3-hunter3")
    kept = DeploySecret.objects.get()
    assert "hunter" not in kept.value
    assert secret_values(project, ["DEPLOY_TOKEN", "DEPLOY_TOKEN"]) == {"DEPLOY_TOKEN": "hunter3-hunter3"}
    assert not any("hunter" in str(row) for row in Event.objects.values_list())
    assert secret_remove(project, "DEPLOY_TOKEN")
    assert not secret_remove(project, "DEPLOY_TOKEN")


def test_a_secret_that_is_not_there_or_cannot_be_read_is_named() -> None:
    project, other = make_project(), make_project()
    secret_set(other, "TOKEN", "of another project")
    with pytest.raises(SecretMissing, match="No value is stored for TOKEN"):
        secret_values(project, ["TOKEN"])
    DeploySecret.objects.update(value="not what it was")
    with pytest.raises(SecretMissing, match="SECRET_KEY has changed"):
        secret_values(other, ["TOKEN"])


@pytest.mark.parametrize(
    ("name", "value"),
    [("token", "long enough"), ("A" * 81, "long enough"), ("HOME", "long enough"), ("HOTFIXDASH_TAG", "long enough"),
     ("TOKEN", "abc"), ("TOKEN", "     "), ("TOKEN", "null\0null"), ("TOKEN", "x" * 20_001)],
)  # fmt: skip
def test_a_secret_that_cannot_be_given_to_a_step_is_refused_without_its_value(name: str, value: str) -> None:
    with pytest.raises(SettingsRefused) as refusal:
        secret_set(make_project(), name, value)
    assert value.strip() == "" or value not in str(refusal.value)
    assert not DeploySecret.objects.exists()
