"""Adding a repository, the list of projects, and how a mirror is doing."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from hotfixdash.accounts.models import User
from releases.projects.models import Credential, FetchRun, Project
from tests.factories import make_project, make_ref, make_run, make_user

pytestmark = pytest.mark.django_db
ADD = "/projects/add/"


@pytest.fixture
def admin(client: Client) -> User:
    user = make_user("ada", "administrator", all_projects=True)
    client.force_login(user)
    return user


@pytest.fixture
def local(tmp_path: Path, settings: Any) -> str:
    """A folder below an allowed root."""
    settings.GIT_ALLOWED_ROOTS = [str(tmp_path)]
    settings.GIT_ALLOW_PRIVATE_HOSTS = []
    folder = tmp_path / "shop.git"
    folder.mkdir()
    return str(folder)


def add(client: Client, **fields: str) -> Any:
    return client.post(ADD, {"visibility": "members", **fields})


def test_a_repository_is_added_and_its_first_fetch_queued(client: Client, admin: User, local: str) -> None:
    answer = add(client, url=local)
    project = Project.objects.get()
    assert (project.name, project.slug, project.remote_url) == ("shop", "shop", local)
    assert answer["Location"] == "/projects/shop/"
    assert FetchRun.objects.get(project=project).trigger == "first"
    assert "Its history is being read" in client.get("/projects/shop/").content.decode()


def test_a_credential_is_stored_encrypted_and_never_shown(client: Client, admin: User, local: str) -> None:
    add(client, url=local, name="shop", kind="token", username="reader", secret="s3cret-token")
    credential = Credential.objects.get()
    assert (credential.kind, credential.username) == ("token", "reader")
    assert "s3cret-token" not in credential.secret
    for path in ("/projects/shop/settings/", "/projects/shop/health/", "/projects/"):
        assert "s3cret-token" not in client.get(path).content.decode()


def test_a_rejected_form_does_not_echo_the_secret_of_a_token(client: Client, admin: User) -> None:
    answer = add(client, url="ext::sh -c id", kind="token", secret="s3cret-token")
    assert answer.status_code == 422
    assert "s3cret-token" not in answer.content.decode()


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("ext::sh -c touch% /tmp/x", "transport helper"),
        ("--upload-pack=touch /tmp/x", ""),
        ("file:///etc", ""),
        ("/etc", ""),
        ("http://127.0.0.1/x.git", "private network"),
        ("https://user:pw@git.example.org/x.git", "holds a user name or password"),
        ("ftp://git.example.org/x.git", "Use https or ssh"),
        ("https://", ""),
        ("", "This field is required."),
    ],
)
def test_addresses_that_are_not_fetched_from_are_refused_in_words(
    client: Client, admin: User, local: str, url: str, said: str
) -> None:
    answer = add(client, url=url, name="x")
    body = answer.content.decode()
    assert answer.status_code == 422
    assert 'id="id_url-err"' in body
    assert 'aria-invalid="true"' in body
    assert said in body
    assert not Project.objects.exists()
    assert not FetchRun.objects.exists()


def test_a_name_that_is_taken_is_said_at_the_name(client: Client, admin: User, local: str) -> None:
    make_project("shop")
    answer = add(client, url=local, name="shop")
    assert answer.status_code == 422
    assert 'id="id_name-err"' in answer.content.decode()


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"kind": "token"}, "secret"),
        ({"secret": "x"}, "kind"),
        ({"kind": "ssh-key", "secret": "not a key"}, "secret"),
        ({"kind": "token", "secret": "two\nlines"}, "secret"),
        ({"visibility": "everybody"}, "visibility"),
    ],
)
def test_credentials_that_cannot_work_are_refused(
    client: Client, admin: User, local: str, fields: dict[str, str], field: str
) -> None:
    answer = client.post(ADD, {"visibility": "members", "url": local} | fields)
    assert answer.status_code == 422
    assert f'id="id_{field}-err"' in answer.content.decode()
    assert not Project.objects.exists()


@pytest.mark.parametrize("role", ["viewer", "engineer", "release-manager"])
def test_only_administrators_add(client: Client, role: str, local: str) -> None:
    client.force_login(make_user("x", role, all_projects=True))
    assert client.get(ADD).status_code == 403
    assert add(client, url=local).status_code == 403
    assert not Project.objects.exists()
    assert ADD not in client.get("/projects/").content.decode()


def test_the_list_shows_what_one_may_see(client: Client) -> None:
    mine = make_project("mine")
    make_project("secretive")
    make_project("open", visibility="public")
    client.force_login(make_user("vic", projects=[mine]))
    body = client.get("/projects/").content.decode()
    assert "2 repositories" in body
    assert "secretive" not in body


def test_the_list_comes_in_pages(client: Client, admin: User) -> None:
    for number in range(55):
        make_project(f"p{number:02}")
    assert "1 to 50 of 55" in client.get("/projects/").content.decode()
    assert "p54" in client.get("/projects/?page=2").content.decode()


def test_health_tells_of_the_last_failure_and_keeps_dates(client: Client, admin: User) -> None:
    now = timezone.now()
    project = make_project(
        "shop", error_text="The server did not accept the credential.", error_code="auth", error_since=now, failures=4,
        mirror_bytes=5_300_000, commit_count=1204, hooks_refused=2, hooks_accepted=7, fetched_at=now,
    )  # fmt: skip
    make_ref(project), make_ref(project, "refs/heads/old", deleted_at=now), make_ref(project, "refs/tags/v1")
    make_run(project, state="failed", error_text="The server did not accept it.", started_at=now - timedelta(seconds=2),
             finished_at=now)  # fmt: skip
    body = client.get("/projects/shop/health/").content.decode()
    for said in (
        "The server did not accept the credential.", "4 tries failed.", "There are no verdicts yet.",
        "5.1\xa0MB", "1,204", "1, 1", "Failed", "2.0 s", "gone from the remote",
    ):  # fmt: skip
        assert said in body


def test_health_shows_a_running_fetch_with_its_stage(client: Client, admin: User) -> None:
    project = make_project("shop")
    now = timezone.now()
    make_run(project, state="running", stage="Judging 12 fixes", started_at=now, heartbeat_at=now)
    body = client.get("/projects/shop/health/").content.decode()
    assert "Judging 12 fixes" in body
    assert "Check now" not in body


def test_health_lists_runs_in_pages(client: Client, admin: User) -> None:
    project = make_project("shop")
    FetchRun.objects.bulk_create(FetchRun(project=project, state="done", trigger="timer") for _ in range(30))
    assert "1 to 25 of 30" in client.get("/projects/shop/health/").content.decode()
    assert "26 to 30 of 30" in client.get("/projects/shop/health/?page=2").content.decode()


@pytest.mark.parametrize("page", ["", "settings/", "health/"])
def test_a_project_that_one_may_not_see_does_not_exist(client: Client, page: str) -> None:
    make_project("hidden")
    client.force_login(make_user("vic", "administrator"))
    assert client.get(f"/projects/hidden/{page}").status_code == 404
    assert client.get(f"/projects/nothing/{page}").status_code == 404
