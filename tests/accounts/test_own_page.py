"""What people change about themselves."""

from __future__ import annotations

import pytest
from django.contrib.auth import get_user_model
from django.test import Client

from hotfixdash.accounts.demo import demo_accounts_create
from hotfixdash.accounts.models import User
from hotfixdash.accounts.roles import Role
from hotfixdash.accounts.services import account_create

pytestmark = pytest.mark.django_db
OLD, NEW = "correct horse battery", "a quite different one"


@pytest.fixture
def lena(client: Client) -> User:
    user = account_create("lena", Role.ENGINEER, OLD, name="Lena")
    client.force_login(user)
    return user


def change_password(client: Client, old: str, new: str, again: str | None = None) -> int:
    data = {"form": "password", "old_password": old, "new_password1": new, "new_password2": again or new}
    return client.post("/accounts/", data).status_code


def test_page_shows_role_and_name(client: Client, lena: User) -> None:
    page = client.get("/accounts/").content.decode()
    assert "Engineer" in page
    assert "Lena" in page


def test_name_is_kept(client: Client, lena: User) -> None:
    client.post("/accounts/", {"form": "name", "first_name": "Lena M", "email": "lena@example.org"})
    lena.refresh_from_db()
    assert (lena.first_name, lena.email) == ("Lena M", "lena@example.org")


def test_role_cannot_be_changed_by_its_owner(client: Client, lena: User) -> None:
    client.post("/accounts/", {"form": "name", "first_name": "L", "is_superuser": "on", "all_projects": "on"})
    fresh = get_user_model().objects.get(pk=lena.pk)
    assert not fresh.is_superuser
    assert not fresh.all_projects
    assert fresh.role is Role.ENGINEER


def test_password_changes_and_this_session_goes_on(client: Client, lena: User) -> None:
    elsewhere = Client()
    elsewhere.force_login(lena)
    assert change_password(client, OLD, NEW) == 302
    assert client.get("/accounts/").status_code == 200
    assert elsewhere.get("/accounts/").status_code == 302


@pytest.mark.parametrize(
    ("old", "new", "again"), [("wrong", NEW, NEW), (OLD, NEW, "another one yet"), (OLD, "short", "short")]
)
def test_bad_password_changes_are_refused(client: Client, lena: User, old: str, new: str, again: str) -> None:
    assert change_password(client, old, new, again) == 422
    lena.refresh_from_db()
    assert lena.check_password(OLD)


def test_demo_passwords_stay_as_printed(client: Client) -> None:
    demo_accounts_create()
    admin = User.objects.get(username="admin")
    client.force_login(admin)
    change_password(client, "admin-demo", NEW)
    admin.refresh_from_db()
    assert admin.check_password("admin-demo")


def test_sign_out_everywhere_else(client: Client, lena: User) -> None:
    other, stranger = Client(), Client()
    other.force_login(lena)
    stranger.force_login(account_create("jonas", Role.VIEWER, OLD))
    client.post("/accounts/sign-out-everywhere/")
    assert other.get("/accounts/").status_code == 302
    assert client.get("/accounts/").status_code == 200
    assert stranger.get("/accounts/").status_code == 200


def test_theme_is_remembered_and_leads_back(client: Client, lena: User) -> None:
    answer = client.post("/theme/", {"theme": "dark", "next": "/accounts/"})
    assert answer["Location"] == "/accounts/"
    assert client.cookies["theme"].value == "dark"
    assert b'data-theme="dark"' in client.get("/accounts/").content


def test_theme_leads_nowhere_else_and_takes_no_other_word(client: Client) -> None:
    assert client.post("/theme/", {"theme": "dark", "next": "//elsewhere.example/"})["Location"] == "/"
    assert client.post("/theme/", {"theme": "pink"}).status_code == 400
    assert client.get("/theme/").status_code == 405
