"""The settings of one project, each part by whom it is for."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client

from hotfixdash.accounts.models import User
from releases.ledger.models import Event
from releases.policies.flow import FlowPolicy
from releases.policies.models import Target
from releases.projects.models import Credential, FetchRun, Project
from releases.projects.services.projects import hook_secret
from tests.factories import make_project, make_ref, make_target, make_user

pytestmark = pytest.mark.django_db
PAGE = "/projects/shop/settings/"


@pytest.fixture
def project() -> Project:
    return make_project("shop", policy=FlowPolicy().as_data())


def sign_in(client: Client, role: str) -> User:
    user = make_user(f"a-{role}", role, all_projects=True)
    client.force_login(user)
    return user


def flow(**fields: Any) -> dict[str, Any]:
    """The policy form as the page shows it, with changes."""
    data: dict[str, Any] = {
        name: "\n".join(value) if isinstance(value, list) else value for name, value in FlowPolicy().as_data().items()
    }
    return {"form": "policy", **data, **fields}


def stored() -> FlowPolicy:
    return FlowPolicy.from_data(Project.objects.get(slug="shop").policy)


def test_every_part_of_the_flow_policy_can_be_changed(client: Client, project: Project) -> None:
    sign_in(client, "release-manager")
    change = {
        "preset": "maintenance", "production": "stable/*\ntags:v*", "targets": "main\nnext", "sla_hours": "12",
        "hotfix_branches": "urgent/*", "release_branches": "rel/*", "support_branches": "old/*",
        "tag_pattern": r"^r\d+$", "ticket_pattern": r"#\d+", "ticket_url": "https://tickets.example.org/{ticket}",
        "chore_paths": "NEWS", "chore_subjects": "^Bump",
    }  # fmt: skip
    assert client.post(PAGE, flow(**change)).status_code == 302
    policy = stored()
    assert policy == FlowPolicy(
        preset=policy.preset, production=("stable/*", "tags:v*"), targets=("main", "next"), sla_hours=12,
        hotfix_branches=("urgent/*",), release_branches=("rel/*",), support_branches=("old/*",),
        tag_pattern=r"^r\d+$", ticket_pattern=r"#\d+", ticket_url="https://tickets.example.org/{ticket}",
        chore_paths=("NEWS",), chore_subjects=("^Bump",),
    )  # fmt: skip
    assert policy.preset.value == "maintenance"
    assert FetchRun.objects.get(project=project).state == "queued"
    assert "Changed: policy." in client.get(PAGE).content.decode()


def test_saving_what_stands_changes_nothing(client: Client, project: Project) -> None:
    sign_in(client, "release-manager")
    client.post(PAGE, flow())
    assert stored() == FlowPolicy()
    assert not FetchRun.objects.exists()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("production", ""), ("targets", " \n"), ("sla_hours", "0"), ("sla_hours", "soon"), ("preset", "chaos"),
        ("tag_pattern", "("), ("ticket_pattern", "(a+)+$"), ("chore_subjects", "ok\n["),
        ("ticket_url", "https://tickets.example.org/"), ("ticket_url", "javascript:alert({ticket})"),
        ("production", "\n".join("b" for _ in range(61))),
    ],
)  # fmt: skip
def test_a_policy_that_cannot_work_is_refused_at_its_field(
    client: Client, project: Project, field: str, value: str
) -> None:
    sign_in(client, "release-manager")
    answer = client.post(PAGE, flow(**{field: value}))
    assert answer.status_code == 422
    assert f'id="id_{field}-err"' in answer.content.decode()
    assert stored() == FlowPolicy()


def test_another_guess_is_offered_with_its_reason_and_taken(client: Client, project: Project) -> None:
    sign_in(client, "release-manager")
    for name in ("refs/heads/master", "refs/heads/dev", "refs/tags/v1.0.0"):
        make_ref(project, name)
    body = client.get(PAGE).content.decode()
    assert "suggest something else" in body
    client.post(PAGE, {"form": "guess"})
    policy = stored()
    assert "master" in policy.production
    assert "dev" in policy.targets
    assert "Guessed from the names of branches and tags." in client.get(PAGE).content.decode()


def test_a_release_gets_a_date_and_loses_it(client: Client, project: Project) -> None:
    sign_in(client, "release-manager")
    target = make_target(project, "release/1.3", kind=Target.Kind.RELEASE)
    field = f"t{target.pk}-planned_for"
    client.post(PAGE, {"form": "plan", field: "2026-12-24T10:30"})
    target.refresh_from_db()
    assert target.planned_for == datetime(2026, 12, 24, 10, 30, tzinfo=UTC)
    assert Event.objects.get(kind="release.planned").target == "release/1.3"
    client.post(PAGE, {"form": "plan", field: ""})
    target.refresh_from_db()
    assert target.planned_for is None
    assert client.post(PAGE, {"form": "plan", field: "tomorrow"}).status_code == 422


def test_the_webhook_secret_is_shown_once_when_it_is_made(client: Client, project: Project) -> None:
    sign_in(client, "administrator")
    client.post(PAGE, {"form": "hook"})
    first = hook_secret(Project.objects.get())
    answer = client.post(PAGE, {"form": "hook"})
    second = hook_secret(Project.objects.get())
    assert first != second
    assert second in answer.content.decode()
    assert answer["Cache-Control"] == "no-store"
    assert second not in client.get(PAGE).content.decode()
    assert "http://testserver/hooks/shop" in answer.content.decode()


def test_a_credential_is_replaced_and_removed_unseen(client: Client, project: Project) -> None:
    sign_in(client, "administrator")
    client.post(PAGE, {"form": "credential", "kind": "token", "username": "bot", "secret": " first-token "})
    key = "-----BEGIN OPENSSH PRIVATE KEY-----\r\nabc\r\n-----END OPENSSH PRIVATE KEY-----"
    client.post(PAGE, {"form": "credential", "kind": "ssh-key", "secret": key, "known_hosts": "h ssh-ed25519 AAAA"})
    credential = Credential.objects.get()
    assert credential.kind == "ssh-key"
    body = client.get(PAGE).content.decode()
    assert "SSH private key" in body
    assert "first-token" not in body
    assert "OPENSSH" not in body
    client.post(PAGE, {"form": "credential-remove"})
    assert not Credential.objects.exists()


def test_name_address_visibility_and_rhythm(client: Client, project: Project, tmp_path: Any, settings: Any) -> None:
    settings.GIT_ALLOWED_ROOTS = [str(tmp_path)]
    sign_in(client, "administrator")
    change = {"form": "general", "name": "Shop", "visibility": "public", "fetch_every": "30"}
    assert client.post(PAGE, change | {"remote_url": str(tmp_path)}).status_code == 302
    project.refresh_from_db()
    assert (project.name, project.slug, project.visibility, project.fetch_every) == ("Shop", "shop", "public", 30)
    answer = client.post(PAGE, change | {"remote_url": "/etc"})
    assert answer.status_code == 422
    assert 'id="id_remote_url-err"' in answer.content.decode()
    assert client.post(PAGE, change | {"remote_url": str(tmp_path), "fetch_every": "1"}).status_code == 422


def test_access_is_given_and_taken_away(client: Client, project: Project) -> None:
    sign_in(client, "administrator")
    jo = make_user("jo")
    client.post(PAGE, {"form": "grant", "username": "jo"})
    assert Project.objects.seen_by(jo).get() == project
    assert re.search(r"Take access away from jo", client.get(PAGE).content.decode())
    client.post(PAGE, {"form": "revoke", "user": str(jo.pk)})
    assert not Project.objects.seen_by(jo).exists()
    assert client.post(PAGE, {"form": "grant", "username": "nobody"}).status_code == 422
    assert client.post(PAGE, {"form": "revoke", "user": "x"}).status_code == 302


@pytest.mark.parametrize("role", ["viewer", "engineer"])
def test_those_who_do_not_decide_do_not_see_the_settings(client: Client, project: Project, role: str) -> None:
    sign_in(client, role)
    assert client.get(PAGE).status_code == 403
    assert client.post(PAGE, flow()).status_code == 403
    assert PAGE not in client.get("/projects/shop/").content.decode()


@pytest.mark.parametrize("form", ["general", "credential", "credential-remove", "hook", "grant", "revoke", "other"])
def test_release_managers_change_the_flow_only(client: Client, project: Project, form: str) -> None:
    sign_in(client, "release-manager")
    assert client.post(PAGE, {"form": form}).status_code == 403
    assert "Webhook" not in client.get(PAGE).content.decode()


def test_an_unknown_form_is_answered_plainly(client: Client, project: Project) -> None:
    sign_in(client, "administrator")
    assert client.post(PAGE, {"form": "other"}).status_code == 400
