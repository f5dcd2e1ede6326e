"""The rows at /admin/: for administrators of all projects, to look at and nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from django.db.models import Model
from django.test import Client
from django.urls import reverse

from hotfixdash.admin import site
from releases.deploys.models import FollowUp, Freeze, PipelineDraft, Run, Step
from releases.ledger.models import Event
from releases.ledger.services import event_write
from releases.projects.models import Project
from releases.projects.services import hook_secret_renew
from tests.factories import (
    make_environment,
    make_fix,
    make_lines,
    make_operation,
    make_project,
    make_shipment,
    make_step,
    make_target,
    make_user,
    make_verdict,
)

pytestmark = pytest.mark.django_db
MODELS = sorted(site._registry, key=lambda model: model.__name__)


@pytest.fixture
def project() -> Project:
    """With a row of many kinds."""
    project = make_project("shop")
    make_operation(project)
    make_verdict(make_fix(project), make_target(project, "develop"))
    hook_secret_renew(project)
    run = make_shipment(make_environment(project), why="<script>alert(1)</script>")
    make_step(run, answer_digest="d1f0" * 16)
    make_lines(run, "<script>alert(1)</script>")
    person = make_user("mira", "release-manager")
    run.mails.create(person=person)
    run.shown.create(data={})
    run.approvals.create(person=person, says="approve", binding={})
    run.project.bad_releases.create(tag=run.tag, commit=run.commit, why="It hurts", run=run, marked_by=person)
    FollowUp.objects.create(run=run)
    PipelineDraft.objects.create(project=project, spec={}, base=1)
    Freeze.objects.create(environment=run.environment, why="Quarter end", weekdays=[4])
    event_write("project.added", project_id=project.pk, why="<script>alert(1)</script>")
    return project


@pytest.fixture
def keeper(client: Client) -> Client:
    client.force_login(make_user("ada", "administrator", all_projects=True))
    return client


def address(model: type[Model], what: str, *args: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{what}", args=args)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_rows_are_shown_and_cannot_be_changed(keeper: Client, project: Project, model: type[Model]) -> None:
    listed = keeper.get(address(model, "changelist"))
    assert listed.status_code == 200
    assert b"<script>alert" not in listed.content
    assert keeper.post(address(model, "changelist"), {"action": "delete_selected"}).status_code in (200, 403)
    assert keeper.get(address(model, "add")).status_code == 403
    row = model._default_manager.first()
    if row is None:
        return
    before = model._default_manager.count()
    page = keeper.get(address(model, "change", row.pk))
    assert page.status_code == 200
    assert b'name="_save"' not in page.content
    assert keeper.post(address(model, "change", row.pk), {}).status_code == 403
    assert keeper.post(address(model, "delete", row.pk), {"post": "yes"}).status_code == 403
    assert model._default_manager.count() == before


def test_what_is_shipped_is_among_them(keeper: Client, project: Project) -> None:
    shipping = {
        "Approval", "ApprovalMail", "BadRelease", "Environment", "FollowUp", "Freeze", "LogChunk", "Pipeline",
        "PipelineDraft", "Run", "Shown", "Step",
    }  # fmt: skip
    assert shipping <= {model.__name__ for model in MODELS}
    for model in MODELS:
        assert model.__name__ not in shipping or model._default_manager.exists(), f"no row of {model.__name__} is tried"
    run = Run.objects.get()
    assert run.tag in keeper.get(address(Run, "changelist") + "?q=v1.0.1").content.decode()
    assert "d1f0d1f0" not in keeper.get(address(Step, "change", run.steps.get().pk)).content.decode()


def test_no_secret_is_among_them(keeper: Client, project: Project) -> None:
    project.refresh_from_db()
    page = keeper.get(address(Project, "change", project.pk)).content.decode()
    assert project.hook_secret
    assert project.hook_secret not in page
    assert {model.__name__ for model in MODELS}.isdisjoint(
        {"Credential", "SigningKey", "DeploySecret", "User", "Group"}
    )


@pytest.mark.parametrize(
    ("role", "everywhere"), [("viewer", True), ("engineer", True), ("release-manager", True), ("administrator", False)]
)
def test_nobody_else_sees_them(client: Client, project: Project, role: str, everywhere: bool) -> None:
    client.force_login(make_user("somebody", role, all_projects=everywhere, projects=[project]))
    assert client.get("/admin/", follow=True).status_code == 403
    answer = client.get(address(Event, "changelist"), follow=True)
    assert answer.status_code == 403
    assert b"project.added" not in answer.content


def test_visitors_are_sent_to_the_dashboards_own_sign_in(client: Client, project: Project) -> None:
    answer = client.get(address(Event, "changelist"), follow=True)
    assert answer.redirect_chain[-1][0].startswith("/accounts/login/?next=/admin/")
