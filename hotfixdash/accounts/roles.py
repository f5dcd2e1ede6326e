"""The four roles, as Django groups, each with what it may do.

A role says what somebody may do; access to a project (`ProjectAccess`, or `User.all_projects`)
says where. Both are needed.
"""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """A role's value is the name of its Django group and what the command line takes."""

    VIEWER = "viewer"
    ENGINEER = "engineer"
    RELEASE_MANAGER = "release-manager"
    ADMINISTRATOR = "administrator"

    @property
    def label(self) -> str:
        return self.value.replace("-", " ").capitalize()


class Act(StrEnum):
    """What a page or a button asks for."""

    VIEW = "view"
    CHECK = "check"
    HOTFIX = "hotfix"
    """Open a ticket, answer triage, review, edit."""
    OPERATE = "operate"
    """Change the remote on the fix's behalf: cut, merge back, clean up."""
    RELEASE = "release"
    """Finish a hotfix: merge to production and tag; decide otherwise than triage says."""
    SETTLE = "settle"
    SHIP = "ship"
    """Ask for a build or a deployment, confirm a manual step, take one's own request back."""
    DEPLOY = "deploy"
    """Abort, retry, abandon, roll back, lock, order the queue."""
    APPROVE = "approve"
    """Say yes or no to a deployment, where the environment's own rule allows it, too."""
    EDIT_POLICY = "edit-policy"
    MANAGE = "manage"


_MAY: dict[Role, frozenset[Act]] = {
    Role.VIEWER: frozenset({Act.VIEW}),
    Role.ENGINEER: frozenset({Act.VIEW, Act.CHECK, Act.HOTFIX, Act.OPERATE, Act.SHIP}),
    Role.RELEASE_MANAGER: frozenset(Act) - {Act.MANAGE},
    Role.ADMINISTRATOR: frozenset(Act),
}


def role_allows(role: Role, act: Act) -> bool:
    """Whether somebody with `role` may do `act` on a project they have access to."""
    return act in _MAY[role]
