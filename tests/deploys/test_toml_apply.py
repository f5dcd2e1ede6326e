"""`project_export` and `project_apply`: a project's shipping settings leave it and come back, all or nothing."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from releases.deploys.applying import Applied, project_apply, project_export
from releases.deploys.environment_services import environment_save, environments_of, shipping_set_up
from releases.deploys.freezing import freeze_add
from releases.deploys.models import Environment, Freeze, Pipeline, Run
from releases.deploys.settings_services import SettingsRefused, pipeline_of, secret_set
from releases.ledger.models import Event
from releases.projects.models import Project
from tests.factories import make_project, make_user

pytestmark = pytest.mark.django_db

FILE = """
format = 1
secrets = ["DEPLOY_TOKEN"]

[pipeline]
trigger = "tag"

[[pipeline.steps]]
name = "Tests"
kind = "check"
run = "make test"

[[pipeline.steps]]
name = "Deploy"
kind = "deploy"
environments = ["live"]
run = './deploy "$HOTFIXDASH_ARTIFACT"'
secrets = ["DEPLOY_TOKEN"]

[[environments]]
name = "try"

[[environments]]
name = "live"
kind = "production"
approvals = 2
approvers = ["mira"]
time_zone = "Europe/Berlin"

[[environments.freezes]]
why = "Weekend"
weekdays = ["friday"]
from = 16:00:00
until = 08:00:00

[[environments.freezes]]
why = "End of year"
starts = 2099-12-20T00:00:00
ends = 2100-01-02T00:00:00
"""


def applied(**fields: Any) -> Project:
    project = make_project(**fields)
    make_user("mira", "release-manager", projects=[project])
    project_apply(project, FILE)
    return project


def test_a_file_makes_environments_freezes_and_pipeline() -> None:
    project = applied()
    one, two = environments_of(project)
    assert (one.name, two.name, two.kind, two.approvals) == ("try", "live", "production", 2)
    assert [user.username for user in two.approvers.all()] == ["mira"]
    weekend, year = sorted(two.freezes.all(), key=lambda window: not window.weekdays)
    assert (weekend.weekdays, str(weekend.from_time)) == ([4], "16:00:00")
    assert year.starts_at is not None
    assert year.starts_at.isoformat() == "2099-12-19T23:00:00+00:00"
    pipeline = pipeline_of(project)
    assert pipeline is not None
    assert [step["name"] for step in pipeline.spec["steps"]] == ["Tests", "Deploy"]


def test_what_was_exported_makes_another_project_the_same_and_changes_nothing_here() -> None:
    project = applied()
    environment_save(environments_of(project)[1], probe={"kind": "http-text", "url": "https://a.example/v"})
    secret_set(project, "DEPLOY_TOKEN", "hunter2-hunter2")
    text = project_export(project)
    assert "hunter2" not in text
    assert 'secrets = ["DEPLOY_TOKEN"]' in text
    events = Event.objects.count()
    assert project_apply(project, text) == Applied()
    assert Event.objects.count() == events
    other = make_project()
    assert project_apply(other, text).missing == ("The secret DEPLOY_TOKEN has no value yet.",)
    secret_set(other, "DEPLOY_TOKEN", "another value")
    assert project_export(other).split("\n", 1)[1] == text.split("\n", 1)[1].replace(project.name, other.name)


def test_a_dry_run_says_the_same_and_leaves_everything_as_it_was() -> None:
    project = make_project()
    make_user("mira", "release-manager", projects=[project])
    told = project_apply(project, FILE, dry_run=True)
    assert not Environment.objects.exists()
    assert not Pipeline.objects.exists()
    assert not Event.objects.exists()
    assert project_apply(project, FILE) == told
    assert told.changes == (
        "The environment try is added.",
        "The environment live is added.",
        "live: frozen Friday 16:00–08:00.",
        "live: frozen 20 Dec 2099 00:00 to 2 Jan 2100 00:00.",
        "The pipeline gets version 1.",
        "Trigger: not set → tag.",
        "Naming: not set → patch.",
        "Step Tests is added.",
        "Step Deploy is added.",
    )


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('run = "make test"', 'run = ""', "a check step needs a command"),
        ('approvers = ["mira"]', 'approvers = ["nobody"]', "live: approvers: Nobody who may sign in is called nobody."),
        ("approvals = 2", "approvals = 99", "live: approvals:"),
        ("Europe/Berlin", "Europe/Nowhere", "live: time_zone:"),
        ('name = "try"', 'name = "Try it"', "Try it: name:"),
        ("ends = 2100", "ends = 2098", "It would end before it begins."),
        ('environments = ["live"]', 'environments = ["li ve"]', "is not the name of an environment"),
    ],
)
def test_one_fault_anywhere_and_nothing_at_all_changes(old: str, new: str, says: str) -> None:
    project = make_project()
    make_user("mira", "release-manager", projects=[project])
    with pytest.raises(SettingsRefused) as refusal:
        project_apply(project, FILE.replace(old, new))
    assert says in str(refusal.value)
    assert not Environment.objects.exists()
    assert not Pipeline.objects.exists()
    assert not Event.objects.exists()


def test_what_the_file_leaves_out_altogether_is_left_alone() -> None:
    project = applied()
    assert project_apply(project, "format = 1") == Applied((), ("The secret DEPLOY_TOKEN has no value yet.",))
    without = FILE[FILE.index("[[environments]]") : FILE.index("[[environments.freezes]]")]
    assert project_apply(project, without).changes == ()
    assert Freeze.objects.count() == 2
    told = project_apply(project, without + "freezes = []\n")
    assert [said.split(":")[1].split()[0:3] for said in told.changes] == [["no", "longer", "frozen"]] * 2


def test_an_environment_that_is_no_longer_named_is_taken_out_of_use_unless_something_goes_there() -> None:
    project = applied()
    live = environments_of(project)[1]
    only = '[[environments]]\nname = "try"\n'
    run = Run.objects.create(
        project=project, kind="deploy", environment=live, state="running", tag="v1", commit="a" * 40,
        pipeline=pipeline_of(project), trigger="person",
    )  # fmt: skip
    with pytest.raises(SettingsRefused, match="runs or waits"):
        project_apply(project, only)
    Run.objects.filter(pk=run.pk).update(state="done")
    told = project_apply(project, only)
    assert told.changes == ("The environment live is taken out of use.",)
    assert "Step Deploy is for live, which is no environment here." in told.missing
    assert project_apply(project, FILE).changes[0] == "The environment live is added."
    assert Environment.objects.get(name="live").pk == live.pk


def test_the_order_in_the_file_is_the_order_of_promotion() -> None:
    project = applied()
    one, two = FILE[FILE.index("[[environments]]") :].split("\n\n", 1)
    told = project_apply(project, f"{two}\n{one}\n")
    assert told.changes == ("Releases go live → try.",)
    assert [row.name for row in environments_of(project)] == ["live", "try"]


def test_windows_that_are_over_are_history_and_no_business_of_a_file() -> None:
    project = make_project()
    shipping_set_up(project)
    row = environments_of(project)[0]
    past = timezone.now() - timedelta(days=2)
    freeze_add(row, "Sale", starts_at=past, ends_at=past + timedelta(days=1))
    text = project_export(project)
    assert "Sale" not in text
    assert project_apply(project, text) == Applied()
    assert Freeze.objects.count() == 1


def test_the_ledger_says_who_applied_what() -> None:
    project, admin = make_project(), make_user("ada", "administrator")
    make_user("mira", "release-manager", projects=[project])
    project_apply(project, FILE, admin, note="From the repository of operations")
    assert set(Event.objects.values_list("actor_name", flat=True)) == {"ada"}
    assert Pipeline.objects.get().note == "From the repository of operations"
