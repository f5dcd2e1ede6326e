"""Who gets in, who does not, and what they are told."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.test import Client

from hotfixdash.accounts.demo import LOGINS, demo_accounts_create, logins_shown
from hotfixdash.accounts.roles import Role
from hotfixdash.accounts.services import account_create, account_switch

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery"


def sign_in(client: Client, name: str, password: str) -> Any:
    return client.post("/accounts/login/", {"username": name, "password": password, "next": "/accounts/"})


def is_signed_in(client: Client) -> bool:
    return client.get("/accounts/").status_code == 200


def test_every_page_asks_for_sign_in_and_comes_back(client: Client) -> None:
    asked = client.get("/accounts/?tab=1")
    assert asked.status_code == 302
    assert asked["Location"] == "/accounts/login/?next=/accounts/%3Ftab%3D1"


def test_right_password_leads_to_where_one_wanted_to_go(client: Client) -> None:
    account_create("lena", Role.VIEWER, PASSWORD)
    answer = sign_in(client, "lena", PASSWORD)
    assert answer["Location"] == "/accounts/"
    assert is_signed_in(client)


def test_foreign_address_is_not_followed(client: Client) -> None:
    account_create("lena", Role.VIEWER, PASSWORD)
    data = {"username": "lena", "password": PASSWORD, "next": "https://elsewhere.example/"}
    assert client.post("/accounts/login/", data)["Location"] == settings.LOGIN_REDIRECT_URL


def test_wrong_password_and_unknown_name_are_told_the_same(client: Client) -> None:
    account_create("lena", Role.VIEWER, PASSWORD)
    told = [sign_in(client, name, "wrong").context["form"].non_field_errors() for name in ("lena", "nobody")]
    assert told[0] == told[1]
    assert "do not belong together" in str(told[0])


def test_switched_off_account_is_out_at_once(client: Client) -> None:
    account_create("lena", Role.VIEWER, PASSWORD)
    sign_in(client, "lena", PASSWORD)
    account_switch("lena", active=False)
    assert not is_signed_in(client)
    sign_in(client, "lena", PASSWORD)
    assert not is_signed_in(client)


def test_too_many_failures_are_paused_even_with_the_right_password(client: Client) -> None:
    account_create("lena", Role.VIEWER, PASSWORD)
    account_create("jonas", Role.VIEWER, PASSWORD)
    answers = [sign_in(client, "lena", "wrong").status_code for _ in range(settings.AXES_FAILURE_LIMIT)]
    assert answers[0] == 200
    paused = sign_in(client, "lena", PASSWORD)
    assert paused.status_code == 429
    assert int(paused["Retry-After"]) == 900
    assert b"15 minutes" in paused.content
    assert not is_signed_in(client)
    # Somebody else at the same address is not held up.
    sign_in(client, "jonas", PASSWORD)
    assert is_signed_in(client)


def test_demo_accounts_one_per_role_and_only_once() -> None:
    demo_accounts_create()
    demo_accounts_create()
    users = get_user_model().objects.filter(is_demo=True)
    assert {user.role for user in users} == set(Role)
    assert users.count() == len(LOGINS)


@pytest.mark.parametrize("login", LOGINS, ids=lambda login: login.username)
def test_printed_log_ins_work_on_this_machine(client: Client, login: Any) -> None:
    demo_accounts_create()
    assert login in logins_shown()
    sign_in(client, login.username, login.password)
    assert is_signed_in(client)


def test_demo_accounts_are_refused_where_others_could_sign_in(client: Client, settings: Any) -> None:
    demo_accounts_create()
    sign_in(client, "admin", "admin-demo")
    assert is_signed_in(client)
    settings.DEMO_LOGINS_ALLOWED = False
    # The session that stands already ends too.
    assert not is_signed_in(client)
    answer = sign_in(client, "admin", "admin-demo")
    assert "only while the dashboard listens on this machine" in str(answer.context["form"].non_field_errors())
    assert not is_signed_in(client)
    assert logins_shown() == []


def test_sign_out_needs_a_form_and_ends_the_session(client: Client) -> None:
    client.force_login(account_create("lena", Role.VIEWER, PASSWORD))
    assert client.get("/accounts/logout/").status_code == 405
    client.post("/accounts/logout/")
    assert not is_signed_in(client)


def test_forms_of_other_sites_are_refused() -> None:
    account_create("lena", Role.VIEWER, PASSWORD)
    strict = Client(enforce_csrf_checks=True)
    assert sign_in(strict, "lena", PASSWORD).status_code == 403
