"""People who sign in."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from django.contrib.auth.models import AbstractUser
from django.db import models

from .roles import Act, Role, role_allows


class User(AbstractUser):
    """A person. What they may do comes from their role's group, where from their project access."""

    all_projects = models.BooleanField(
        default=False, help_text="Sees every project; otherwise only those listed in project access."
    )

    is_demo = models.BooleanField(
        default=False, editable=False, help_text="Made by the demo with a public password: works on this machine only."
    )

    mail_approvals = models.BooleanField(
        default=False, help_text="Is written to when a deployment waits for their approval."
    )
    known_as = models.JSONField(
        default=list, blank=True, editable=False,
        help_text="Addresses and names that the account had before: whoever wrote a change stays its author.",
    )  # fmt: skip

    def save(self, *args: Any, **kwargs: Any) -> None:
        """As usual; an address or a name that goes away is remembered, so that nobody can shed their own work."""
        fields = kwargs.get("update_fields")
        if self.pk and (fields is None or {"email", "first_name", "last_name"} & set(fields)):
            before = type(self).objects.filter(pk=self.pk).first()
            if before is not None:
                gone = {before.email.strip(), before.get_full_name().strip()} - {self.email, self.get_full_name(), ""}
                self.known_as = sorted({*before.known_as, *self.known_as, *gone})
            if fields is not None:
                kwargs["update_fields"] = {*fields, "known_as"}
        super().save(*args, **kwargs)

    @cached_property
    def role(self) -> Role:
        """The strongest role among the person's groups; superusers are administrators, the least is viewer."""
        if self.is_superuser:
            return Role.ADMINISTRATOR
        names = set(self.groups.values_list("name", flat=True))
        return next((role for role in reversed(Role) if role.value in names), Role.VIEWER)

    def may(self, act: Act) -> bool:
        """Whether the person's role allows `act`, on projects they have access to."""
        return self.is_active and role_allows(self.role, act)
