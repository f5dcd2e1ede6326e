"""The settings for shipping: who may see and change what, and that secrets stay unseen."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client

from hotfixdash.accounts.models import User
from releases.deploys.environment_services import environments_of, shipping_set_up
from releases.deploys.models import DeploySecret, Environment, Freeze, Pipeline
from releases.deploys.settings_services import pipeline_of, secret_set, secret_values
from releases.projects.models import Project
from tests.factories import make_project, make_user

pytestmark = pytest.mark.django_db
PAGE = "/projects/shop/settings/shipping/"
PRODUCTION = f"{PAGE}environments/production/"
PAGES = (PAGE, PRODUCTION, f"{PAGE}pipeline/", f"{PAGE}pipeline/1/", f"{PAGE}file/", f"{PAGE}shipping.toml")


@pytest.fixture
def project() -> Project:
    project = make_project("shop")
    shipping_set_up(project)
    return project


def sign_in(client: Client, role: str = "administrator", **fields: Any) -> User:
    user = make_user(f"a-{role}", role, **({"all_projects": True} | fields))
    client.force_login(user)
    return user


def production() -> Environment:
    return Environment.objects.get(name="production")


def rules(**changes: Any) -> dict[str, Any]:
    row = production()
    names = ("kind", "url", "hotfixes", "promotes", "approvals", "approver_role", "approval_hours", "breakers_role")
    return {"form": "settings", **{name: getattr(row, name) for name in names}, **changes}


def probing(**changes: Any) -> dict[str, Any]:
    return {
        "form": "probe", "kind": "http-json", "url": "https://shop.example.com/v", "path": "commit", "timeout": "5",
        "health_status": "0", "probe_every": "20", "settle_seconds": "30", "watch_seconds": "60", "rolls_back": "True",
        **changes,
    }  # fmt: skip


@pytest.mark.parametrize("page", PAGES)
def test_release_managers_look_and_engineers_do_not(client: Client, project: Project, page: str) -> None:
    sign_in(client, "release-manager")
    answer = client.get(page)
    assert answer.status_code == 200
    assert 'name="form"' not in answer.content.decode()
    sign_in(client, "engineer")
    assert client.get(page).status_code == 403
    client.logout()
    assert client.get(page).status_code == 302


@pytest.mark.parametrize("page", PAGES)
def test_a_project_that_the_person_cannot_see_is_not_there(client: Client, project: Project, page: str) -> None:
    sign_in(client, all_projects=False)
    assert client.get(page).status_code == 404
    assert client.post(page, {"form": "set-up"}).status_code in (404, 405)


@pytest.mark.parametrize(
    ("page", "form"),
    [(PAGE, "set-up"), (PAGE, "environment"), (PAGE, "move"), (PAGE, "secret"), (PAGE, "secret-remove"),
     (PRODUCTION, "settings"), (PRODUCTION, "probe"), (PRODUCTION, "freeze"), (PRODUCTION, "freeze-end"),
     (PRODUCTION, "retire"), (f"{PAGE}pipeline/", "start"), (f"{PAGE}pipeline/", "save"), (f"{PAGE}pipeline/", "toml"),
     (f"{PAGE}pipeline/", "discard"), (f"{PAGE}file/", "apply")],
)  # fmt: skip
def test_only_administrators_change_anything(client: Client, project: Project, page: str, form: str) -> None:
    sign_in(client, "release-manager")
    assert client.post(page, {"form": form}).status_code == 403
    assert Pipeline.objects.count() == 1
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(make_user("root", "administrator", all_projects=True))
    assert strict.post(page, {"form": form}).status_code == 403


def test_a_form_that_is_not_known_is_answered_plainly(client: Client, project: Project) -> None:
    sign_in(client)
    for page in (PAGE, PRODUCTION, f"{PAGE}pipeline/", f"{PAGE}file/"):
        assert client.post(page, {"form": "other"}).status_code == 400


def test_shipping_is_set_up_on_request(client: Client) -> None:
    project = make_project("shop")
    sign_in(client)
    assert "Set up shipping" in client.get(PAGE).content.decode()
    assert not Environment.objects.exists()
    assert client.post(PAGE, {"form": "set-up"}).status_code == 302
    assert [row.name for row in environments_of(project)] == ["hotfix-staging", "staging", "production"]
    body = client.get(PAGE).content.decode()
    assert "Set up shipping" not in body
    assert "1 approval needed" in body


def test_environments_are_added_and_put_into_order(client: Client, project: Project) -> None:
    sign_in(client)
    answer = client.post(PAGE, {"form": "environment", "name": "canary", "kind": "production"})
    assert answer["Location"] == f"{PAGE}environments/canary/"
    client.post(PAGE, {"form": "move", "name": "canary", "to": "up"})
    client.post(PAGE, {"form": "move", "name": "nothing", "to": "up"})
    assert [row.name for row in environments_of(project)] == ["hotfix-staging", "staging", "canary", "production"]
    for name in ("canary", "Not A Name"):
        answer = client.post(PAGE, {"form": "environment", "name": name, "kind": "staging"})
        assert answer.status_code == 422
        assert 'id="new_name-err"' in answer.content.decode()


def test_the_rules_of_an_environment_are_changed(client: Client, project: Project) -> None:
    sign_in(client)
    make_user("mira", "release-manager")
    change = {
        "approvals": "2",
        "approvers": "mira",
        "hotfixes": "must",
        "promotes": "False",
        "time_zone": "Europe/Oslo",
    }
    assert client.post(PRODUCTION, rules(**change)).status_code == 302
    row = production()
    assert (row.approvals, row.promotes, row.time_zone) == (2, False, "Europe/Oslo")
    assert [user.username for user in row.approvers.all()] == ["mira"]
    assert 'value="mira"' in client.get(PRODUCTION).content.decode()


@pytest.mark.parametrize(
    ("field", "value"),
    [("approvals", "10"), ("approvers", "nobody"), ("url", "javascript:alert(1)"), ("time_zone", "Mars"),
     ("approver_role", "viewer"), ("kind", "moon")],
)  # fmt: skip
def test_rules_that_cannot_be_are_refused_at_their_field(
    client: Client, project: Project, field: str, value: str
) -> None:
    sign_in(client)
    answer = client.post(PRODUCTION, rules(**{field: value}))
    assert answer.status_code == 422
    assert f'id="id_{field}-err"' in answer.content.decode()
    assert production().approvals == 1


def test_a_probe_keeps_what_fits_its_kind(client: Client, project: Project) -> None:
    sign_in(client)
    assert client.post(PRODUCTION, probing(command="rm -rf /", header="X-Other")).status_code == 302
    row = production()
    assert row.probe == {"kind": "http-json", "url": "https://shop.example.com/v", "path": "commit"}
    assert (row.probe_every, row.settle_seconds, row.watch_seconds, row.rolls_back) == (20, 30, 60, True)
    assert client.post(PRODUCTION, probing(kind="")).status_code == 302
    assert production().probe == {}
    answer = client.post(PRODUCTION, probing(path=""))
    assert answer.status_code == 422
    assert "Say which field" in answer.content.decode()


def test_a_probe_is_tried_without_being_kept(client: Client, project: Project) -> None:
    sign_in(client)
    secret_set(project, "TOKEN", "hunter2-hunter2")
    command = 'echo "asking with $TOKEN"; echo v1.4.2'
    answer = client.post(PRODUCTION, probing(kind="command", command=command, secrets="TOKEN", **{"try": "1"}))
    assert answer.status_code == 200
    body = answer.content.decode()
    assert "v1.4.2" in body
    assert "Nothing was saved." in body
    answer = client.post(PRODUCTION, probing(kind="command", command="echo $TOKEN", secrets="TOKEN", **{"try": "1"}))
    assert "hunter2" not in answer.content.decode()
    assert production().probe == {}
    answer = client.post(PRODUCTION, probing(kind="command", command="exit 3", **{"try": "1"}))
    assert "The revision is not known." in answer.content.decode()


def test_freezes_are_added_in_the_environments_zone_and_ended(client: Client, project: Project) -> None:
    sign_in(client)
    Environment.objects.filter(name="production").update(time_zone="America/New_York")
    once = {"form": "freeze", "why": "Sale", "starts_at": "2099-11-26T00:00", "ends_at": "2099-11-30T12:00"}
    assert client.post(PRODUCTION, once).status_code == 302
    found = Freeze.objects.get()
    assert found.starts_at is not None
    assert found.starts_at.isoformat() == "2099-11-26T05:00:00+00:00"
    weekly = {"form": "freeze", "why": "Weekend", "weekdays": ["4", "5"], "from_time": "16:00", "until_time": "08:00"}
    client.post(PRODUCTION, weekly)
    body = client.get(PRODUCTION).content.decode()
    assert "Friday, Saturday 16:00–08:00" in body
    assert "26 Nov 2099 00:00" in body
    client.post(PRODUCTION, {"form": "freeze-end", "freeze": str(found.pk)})
    client.post(PRODUCTION, {"form": "freeze-end", "freeze": "x"})
    assert Freeze.objects.get().why == "Weekend"
    assert client.post(PRODUCTION, once | {"weekdays": ["1"]}).status_code == 422
    assert client.post(PRODUCTION, {"form": "freeze", "why": "Never"}).status_code == 422


def test_an_environment_goes_out_of_use_and_its_page_with_it(client: Client, project: Project) -> None:
    sign_in(client)
    assert client.post(PRODUCTION, {"form": "retire"}).status_code == 302
    assert client.get(PRODUCTION).status_code == 404
    assert "Out of use" in client.get(PAGE).content.decode()


def test_a_secret_is_stored_and_never_seen_again(client: Client, project: Project) -> None:
    sign_in(client)
    value = "hunter2-hunter2"
    answer = client.post(PAGE, {"form": "secret", "name": "DEPLOY_TOKEN", "value": f"{value}\r\n"}, follow=True)
    assert "DEPLOY_TOKEN" in answer.content.decode()
    assert secret_values(project, ["DEPLOY_TOKEN"]) == {"DEPLOY_TOKEN": value}
    bad = client.post(PAGE, {"form": "secret", "name": "no name", "value": value})
    assert bad.status_code == 422
    for page in (*PAGES, "/projects/shop/settings/", "/projects/shop/"):
        assert value not in client.get(page).content.decode()
    assert value not in answer.content.decode() + bad.content.decode()
    client.post(PAGE, {"form": "secret-remove", "name": "DEPLOY_TOKEN"})
    assert not DeploySecret.objects.exists()


def test_a_key_of_several_lines_keeps_them(client: Client, project: Project) -> None:
    sign_in(client)
    client.post(PAGE, {"form": "secret", "name": "KEY", "value": "-----BEGIN\r\nabc\r\n-----END\r\n"})
    assert secret_values(project, ["KEY"])["KEY"] == "-----BEGIN\nabc\n-----END\n"


def test_the_file_is_taken_away_tried_and_applied(client: Client, project: Project) -> None:
    sign_in(client)
    answer = client.get(f"{PAGE}shipping.toml")
    assert answer["Content-Disposition"] == 'attachment; filename="shop-shipping.toml"'
    text = answer.content.decode().replace("approvals = 1", "approvals = 2")
    looked = client.post(f"{PAGE}file/", {"form": "apply", "text": text, "look": "1"})
    assert looked.status_code == 200
    assert "production: approvals changed." in looked.content.decode()
    assert production().approvals == 1
    assert client.post(f"{PAGE}file/", {"form": "apply", "text": text}).status_code == 302
    assert production().approvals == 2
    wrong = client.post(f"{PAGE}file/", {"form": "apply", "text": text + "\n[other]\na = 1"})
    assert wrong.status_code == 422
    assert "other: this is not known." in wrong.content.decode()


def test_the_pages_say_what_is_missing(client: Client, project: Project) -> None:
    sign_in(client)
    text = client.get(f"{PAGE}shipping.toml").content.decode()
    text = re.sub(r"(name = \"Deploy\"\nkind = \"deploy\"\n)", r'\1secrets = ["TOKEN"]' + "\n", text)
    client.post(f"{PAGE}file/", {"form": "apply", "text": text})
    assert pipeline_of(project).version == 2  # type: ignore[union-attr]
    for page in (PAGE, f"{PAGE}pipeline/"):
        assert "The secret TOKEN has no value yet." in client.get(page).content.decode()
