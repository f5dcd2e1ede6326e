"""The demo's log-ins: fixed, public, and refused where others could reach the dashboard."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings
from django.db import transaction

from .models import User
from .roles import Role
from .services import account_create


@dataclass(frozen=True, slots=True)
class Login:
    """One printed log-in."""

    username: str
    password: str
    role: Role
    name: str


LOGINS = (
    Login("viewer", "viewer-demo", Role.VIEWER, "Lena"),
    Login("engineer", "engineer-demo", Role.ENGINEER, "Jonas"),
    Login("manager", "manager-demo", Role.RELEASE_MANAGER, "Mara"),
    Login("admin", "admin-demo", Role.ADMINISTRATOR, "Aiko"),
)
"""One for each role."""


@transaction.atomic
def demo_accounts_create() -> None:
    """Make the demo accounts that are not there yet; they see every project. Raises nothing when all are there."""
    taken = set(User.objects.values_list("username", flat=True))
    for login in LOGINS:
        if login.username not in taken:
            account_create(
                login.username, login.role, login.password, name=login.name, all_projects=True, demo=True
            )  # fmt: skip


def logins_shown() -> list[Login]:
    """The log-ins to offer on the sign-in page and on the console: those that exist and work here."""
    if not settings.DEMO_LOGINS_ALLOWED:
        return []
    there = set(User.objects.filter(is_demo=True, is_active=True).values_list("username", flat=True))
    return [login for login in LOGINS if login.username in there]
