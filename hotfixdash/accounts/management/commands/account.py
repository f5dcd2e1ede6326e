"""`manage.py account`: accounts without the web."""

from __future__ import annotations

import getpass
import sys
from typing import Any

from django.apps import apps
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from hotfixdash.accounts.models import User
from hotfixdash.accounts.roles import Role
from hotfixdash.accounts.services import (
    AccountProblem,
    account_create,
    account_find,
    account_set_password,
    account_switch,
    project_access_names,
)


class Command(BaseCommand):
    """create, list, disable, enable, password, grant, revoke."""

    help = "Create, list and switch off accounts, and give them access to projects."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
        create = actions.add_parser("create", help="Make an account.")
        create.add_argument("username", metavar="NAME")
        create.add_argument("--role", required=True, choices=[role.value for role in Role])
        create.add_argument("--project", action="append", default=[], metavar="N", help="May be given several times.")
        create.add_argument("--all-projects", action="store_true", help="Access to every project, also later ones.")
        create.add_argument("--display-name", default="", help="The name that others see.")
        self._password_option(create)
        password = actions.add_parser("password", help="Give an account a new password.")
        password.add_argument("username", metavar="NAME")
        self._password_option(password)
        for action, words in (("disable", "Switch an account off."), ("enable", "Switch it on again.")):
            actions.add_parser(action, help=words).add_argument("username", metavar="NAME")
        for action, words in (("grant", "Give access to a project."), ("revoke", "Take access to a project away.")):
            change = actions.add_parser(action, help=words)
            change.add_argument("username", metavar="NAME")
            change.add_argument("--project", action="append", required=True, metavar="N")
        actions.add_parser("list", help="Every account with its role and projects.")

    @staticmethod
    def _password_option(parser: CommandParser) -> None:
        parser.add_argument(
            "--password-stdin", action="store_true", help="Read the password from the first line of standard input."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            getattr(self, f"_{options['action']}")(options)
        except AccountProblem as problem:
            raise CommandError(str(problem)) from problem

    def _create(self, options: dict[str, Any]) -> None:
        password = self._read_password(options)
        with transaction.atomic():
            user = account_create(
                options["username"], Role(options["role"]), password,
                name=options["display_name"], all_projects=options["all_projects"],
            )  # fmt: skip
            self._access(user, options["project"], give=True)
        self.stdout.write(f"Made {user.username}, {user.role.label.lower()}, {self._sees(user)}.")

    def _password(self, options: dict[str, Any]) -> None:
        account_find(options["username"])
        user = account_set_password(options["username"], self._read_password(options))
        self.stdout.write(f"{user.username} has a new password and is signed out everywhere.")

    def _disable(self, options: dict[str, Any]) -> None:
        user = account_switch(options["username"], active=False)
        self.stdout.write(f"{user.username} can no longer sign in.")

    def _enable(self, options: dict[str, Any]) -> None:
        user = account_switch(options["username"], active=True)
        self.stdout.write(f"{user.username} can sign in.")

    def _grant(self, options: dict[str, Any]) -> None:
        user = account_find(options["username"])
        self._access(user, options["project"], give=True)
        self.stdout.write(f"{user.username} {self._sees(user)}.")

    def _revoke(self, options: dict[str, Any]) -> None:
        user = account_find(options["username"])
        self._access(user, options["project"], give=False)
        self.stdout.write(f"{user.username} {self._sees(user)}.")

    def _list(self, options: dict[str, Any]) -> None:
        for user in User.objects.order_by("username").prefetch_related("groups"):
            marks = [] if user.is_active else ["switched off"]
            marks += ["demo"] if user.is_demo else []
            note = f" ({', '.join(marks)})" if marks else ""
            self.stdout.write(f"{user.username:<20} {user.role.value:<16} {self._sees(user)}{note}")

    @staticmethod
    def _sees(user: User) -> str:
        if user.is_superuser or user.all_projects:
            return "sees every project"
        names = project_access_names(user)
        return f"sees {', '.join(names)}" if names else "sees no project but those open to all"

    @staticmethod
    def _access(user: User, names: list[str], *, give: bool) -> None:
        """Projects by name or by the name in their address; all or none."""
        projects, accesses = apps.get_model("releases", "Project"), apps.get_model("releases", "ProjectAccess")
        for name in names:
            project = projects.objects.filter(name=name).first() or projects.objects.filter(slug=name).first()
            if project is None:
                known = ", ".join(projects.objects.values_list("name", flat=True)[:10]) or "none yet"
                raise CommandError(f"There is no project named {name}. Tracked: {known}.")
            if give:
                accesses.objects.get_or_create(project=project, user=user)
            else:
                accesses.objects.filter(project=project, user=user).delete()

    @staticmethod
    def _read_password(options: dict[str, Any]) -> str:
        if options["password_stdin"]:
            password = sys.stdin.readline().rstrip("\r\n")
        elif sys.stdin.isatty():
            password = getpass.getpass("Password: ")
            if getpass.getpass("Once more: ") != password:
                raise CommandError("The two were not the same. Nothing was changed.")
        else:
            raise CommandError("Give the password on standard input, with --password-stdin.")
        if not password:
            raise CommandError("The password is empty.")
        return password
