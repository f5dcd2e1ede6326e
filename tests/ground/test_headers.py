"""What every answer carries."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory

from hotfixdash.accounts.roles import Role
from hotfixdash.accounts.services import account_create
from hotfixdash.middleware import AddressMiddleware

pytestmark = pytest.mark.django_db


def test_policy_allows_no_inline_script_or_style(client: Client) -> None:
    policy = client.get("/accounts/login/")["Content-Security-Policy"]
    parts = {part.split()[0]: part.split()[1:] for part in policy.split(";")}
    assert parts["default-src"] == ["'none'"]
    assert parts["script-src"] == ["'self'"]
    assert parts["style-src"] == ["'self'"]
    assert parts["frame-ancestors"] == ["'none'"]
    assert "unsafe" not in policy


def test_pages_of_people_are_kept_by_nobody_else(client: Client) -> None:
    client.force_login(account_create("lena", Role.VIEWER, "correct horse battery"))
    answer = client.get("/accounts/")
    assert "private" in answer["Cache-Control"]
    assert "Cookie" in answer["Vary"]
    assert answer["X-Frame-Options"] == "DENY"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert "camera=()" in answer["Permissions-Policy"]
    assert answer["Cross-Origin-Opener-Policy"] == "same-origin"


def test_no_cookie_can_be_read_by_script_but_the_theme(client: Client) -> None:
    account_create("lena", Role.VIEWER, "correct horse battery")
    client.get("/accounts/login/")
    client.post("/accounts/login/", {"username": "lena", "password": "correct horse battery"})
    assert {"csrftoken", "sessionid"} <= set(client.cookies)
    assert all(cookie["httponly"] for cookie in client.cookies.values())


def test_hosts_that_nobody_named_are_refused(client: Client) -> None:
    assert client.get("/accounts/login/", headers={"host": "evil.example"}).status_code == 400


@pytest.mark.parametrize("status", [403, 404])
def test_error_pages_are_ours(client: Client, status: int) -> None:
    client.force_login(account_create("lena", Role.VIEWER, "correct horse battery"))
    if status == 404:
        answer = client.get("/nowhere/at/all/")
    else:
        strict = Client(enforce_csrf_checks=True)
        answer = strict.post("/accounts/login/", {})
    assert answer.status_code == status
    assert b"Back to the overview" in answer.content
    assert b"<style" not in answer.content


@pytest.mark.parametrize(
    ("forwarded", "peer", "seen"),
    [
        ("203.0.113.9", "10.0.0.2", "203.0.113.9"),
        ("203.0.113.9, 10.0.0.7", "10.0.0.2", "203.0.113.9"),
        # What the visitor claims stands before what our proxy saw.
        ("198.51.100.1, 203.0.113.9", "10.0.0.2", "203.0.113.9"),
        ("nonsense", "10.0.0.2", "10.0.0.2"),
        ("198.51.100.1", "203.0.113.9", "203.0.113.9"),
        ("", "10.0.0.2", "10.0.0.2"),
    ],
)
def test_visitor_address_behind_proxies(
    rf: RequestFactory, settings: Any, forwarded: str, peer: str, seen: str
) -> None:
    settings.TRUSTED_PROXIES = [ipaddress.ip_network("10.0.0.0/8")]
    request = rf.get("/", headers={"x-forwarded-for": forwarded}, REMOTE_ADDR=peer)
    AddressMiddleware(lambda request: HttpResponse())(request)
    assert request.META["REMOTE_ADDR"] == seen


def test_nobody_may_choose_an_address_without_trusted_proxies(rf: RequestFactory) -> None:
    request: HttpRequest = rf.get("/", headers={"x-forwarded-for": "203.0.113.9"}, REMOTE_ADDR="127.0.0.1")
    AddressMiddleware(lambda request: HttpResponse())(request)
    assert request.META["REMOTE_ADDR"] == "127.0.0.1"


def test_production_is_strict_about_transport() -> None:
    import os
    import subprocess
    import sys

    from django.conf import settings as own

    code = (
        "from django.conf import settings as s; print(s.SECURE_HSTS_SECONDS, s.SESSION_COOKIE_SECURE, "
        "s.CSRF_COOKIE_SECURE, s.SECURE_SSL_REDIRECT, s.DEMO_LOGINS_ALLOWED)"
    )
    environment = os.environ | {"HTTPS": "1", "DJANGO_SETTINGS_MODULE": "hotfixdash.settings"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, cwd=own.BASE_DIR, capture_output=True, text=True
    )
    assert done.stdout.split() == ["31536000", "True", "True", "True", "False"]
