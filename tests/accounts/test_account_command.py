"""`manage.py account`, as scripts use it."""

from __future__ import annotations

import io
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from hotfixdash.accounts.models import User
from hotfixdash.accounts.roles import Role
from releases.projects.models import Project

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery"


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str, typed: str = PASSWORD + "\n") -> str:
    out = io.StringIO()
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    call_command("account", *arguments, stdout=out)
    return out.getvalue()


def make_project(name: str) -> Project:
    return Project.objects.create(name=name, slug=name, remote_url=f"https://git.example.org/{name}.git")


@pytest.mark.parametrize("role", list(Role))
def test_create_with_each_role(monkeypatch: pytest.MonkeyPatch, role: Role) -> None:
    run(monkeypatch, "create", "lena", "--role", role.value, "--password-stdin")
    user = User.objects.get(username="lena")
    assert user.role is role
    assert user.check_password(PASSWORD)
    assert user.is_superuser is (role is Role.ADMINISTRATOR)


def test_create_gives_access_to_the_named_projects_only(monkeypatch: pytest.MonkeyPatch) -> None:
    shop, _ = make_project("shop"), make_project("ledger")
    out = run(monkeypatch, "create", "lena", "--role", "engineer", "--project", "shop", "--password-stdin")
    assert list(Project.objects.seen_by(User.objects.get(username="lena"))) == [shop]
    assert "sees shop" in out


def test_unknown_project_makes_no_account(monkeypatch: pytest.MonkeyPatch) -> None:
    make_project("shop")
    with pytest.raises(CommandError, match=r"no project named nothing. Tracked: shop"):
        run(monkeypatch, "create", "lena", "--role", "viewer", "--project", "nothing", "--password-stdin")
    assert not User.objects.exists()


@pytest.mark.parametrize(
    ("typed", "words"), [("\n", "is empty"), ("short\n", "too short"), ("password12\n", "too common")]
)
def test_bad_passwords_are_refused_in_words(monkeypatch: pytest.MonkeyPatch, typed: str, words: str) -> None:
    with pytest.raises(CommandError, match=words):
        run(monkeypatch, "create", "lena", "--role", "viewer", "--password-stdin", typed=typed)
    assert not User.objects.exists()


def test_password_is_never_taken_from_a_pipe_unasked(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CommandError, match="--password-stdin"):
        run(monkeypatch, "create", "lena", "--role", "viewer")


def test_taken_name(monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = ("create", "lena", "--role", "viewer", "--password-stdin")
    run(monkeypatch, *arguments)
    with pytest.raises(CommandError, match="an account named lena already"):
        run(monkeypatch, *arguments)


def test_unknown_role_lists_the_four(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    with pytest.raises(CommandError, match="release-manager"):
        run(monkeypatch, "create", "lena", "--role", "king", "--password-stdin")


def test_grant_revoke_disable_enable_password_list(monkeypatch: pytest.MonkeyPatch) -> None:
    make_project("shop")
    run(monkeypatch, "create", "lena", "--role", "viewer", "--password-stdin")
    assert "sees shop" in run(monkeypatch, "grant", "lena", "--project", "shop")
    assert "sees no project" in run(monkeypatch, "revoke", "lena", "--project", "shop")
    run(monkeypatch, "disable", "lena")
    listed = run(monkeypatch, "list")
    assert "lena" in listed
    assert "switched off" in listed
    run(monkeypatch, "enable", "lena")
    run(monkeypatch, "password", "lena", "--password-stdin", typed="an even better one\n")
    user = User.objects.get(username="lena")
    assert user.is_active
    assert user.check_password("an even better one")


def test_unknown_account(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CommandError, match="no account named nobody"):
        run(monkeypatch, "disable", "nobody")
