"""The only writer of accounts."""

from __future__ import annotations

from collections.abc import Sequence

from django.contrib.auth.models import Group
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from .models import User
from .roles import Role


class AccountProblem(Exception):
    """An account could not be made or changed; says why, for people."""


@transaction.atomic
def account_create(
    username: str, role: Role, password: str, *, name: str = "", all_projects: bool = False, demo: bool = False
) -> User:
    """A new account in the role's group. Raises `AccountProblem` when the name is taken or the password is weak."""
    user = User(
        username=username,
        first_name=name,
        all_projects=all_projects or role is Role.ADMINISTRATOR,
        is_staff=role is Role.ADMINISTRATOR,
        is_superuser=role is Role.ADMINISTRATOR,
        is_demo=demo,
    )
    try:
        User.username_validator(username)
        if not demo:
            validate_password(password, user)
    except ValidationError as problem:
        raise AccountProblem(" ".join(problem.messages)) from problem
    user.set_password(password)
    try:
        with transaction.atomic():
            user.save()
    except IntegrityError as problem:
        raise AccountProblem(f"There is an account named {username} already.") from problem
    user.groups.set([Group.objects.get_or_create(name=role.value)[0]])
    return user


def account_find(username: str) -> User:
    """The account of that name. Raises `AccountProblem` when there is none."""
    try:
        return User.objects.get(username=username)
    except User.DoesNotExist:
        raise AccountProblem(f"There is no account named {username}.") from None


def account_switch(username: str, *, active: bool) -> User:
    """Switch an account off (its sessions end at once) or on again."""
    user = account_find(username)
    User.objects.filter(pk=user.pk).update(is_active=active)
    user.is_active = active
    return user


def account_set_password(username: str, password: str) -> User:
    """Give an account a new password; every session of it ends."""
    user = account_find(username)
    try:
        validate_password(password, user)
    except ValidationError as problem:
        raise AccountProblem(" ".join(problem.messages)) from problem
    user.set_password(password)
    user.is_demo = False
    user.save(update_fields=["password", "is_demo"])
    return user


def project_access_names(user: User) -> Sequence[str]:
    """The names of the projects that were given to this person one by one."""
    return list(user.project_access.order_by("project__name").values_list("project__name", flat=True))
