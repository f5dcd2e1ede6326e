"""People who sign in."""

from __future__ import annotations

from functools import cached_property

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
