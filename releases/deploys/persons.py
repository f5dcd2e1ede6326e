"""Who may say yes to a run, and who not: the role, the names, and nobody about their own work."""

from __future__ import annotations

from typing import Any

from hotfixdash.accounts.roles import Act, Role
from releases.projects.models import Project

from .errors import DeployRefused
from .makers import makers_of
from .models import Approval, Environment, Run

RANK = {role: number for number, role in enumerate(Role)}
"""Roles by what they may do, least first: a rule that names one is kept by those above it, too."""


def may_see(run: Run, person: Any) -> None:
    """Raises `DeployRefused` (unseen) when the project is not theirs to see."""
    if not person.is_active or not Project.objects.open_to(person).filter(pk=run.project_id).exists():
        raise DeployRefused("unseen", "There is no such deployment.")


def may_approve(run: Run, person: Any) -> str:
    """Why this person may not speak on the run, as a sentence for them; empty when they may."""
    refusal = approving_refused(run, person)
    return refusal.sentence if refusal else ""


def may_break(run: Run, person: Any) -> str:
    """Why this person may not break the glass for the run, as a sentence for them; empty when they may."""
    refusal = breaking_refused(run, person)
    return refusal.sentence if refusal else ""


def approving_refused(run: Run, person: Any) -> DeployRefused | None:
    """The refusal that an approval or rejection by this person meets, or None."""
    try:
        may_see(run, person)
    except DeployRefused as refusal:
        return refusal
    if run.environment is None:
        return DeployRefused("kind", "A build needs nobody's approval.")
    sentence = _role_says(run.environment, person)
    if sentence:
        return DeployRefused("role", sentence)
    if Approval.objects.filter(run=run, person=person, withdrawn_at=None).exists():
        return DeployRefused("spoken", "You have spoken on this request already.")
    own = own_work(run, person)
    return DeployRefused("own", own) if own else None


def _role_says(environment: Environment, person: Any) -> str:
    """Why the environment's rule shuts this person out, or nothing."""
    if not person.may(Act.APPROVE):
        return f"Your role ({person.role.label}) does not approve deployments."
    named = set(environment.approvers.values_list("pk", flat=True))
    if named and person.pk not in named:
        return f"For {environment.name} only those named there approve."
    if RANK[person.role] < RANK[Role(environment.approver_role)]:
        return f"For {environment.name} it takes a {Role(environment.approver_role).label.lower()}."
    return ""


def breaking_refused(run: Run, person: Any) -> DeployRefused | None:
    """The refusal that breaking the glass meets, or None."""
    try:
        may_see(run, person)
    except DeployRefused as refusal:
        return refusal
    place = run.environment
    if place is None:
        return DeployRefused("kind", "A build is held by nothing that could be overridden.")
    least = Role(place.breakers_role)
    if not person.may(Act.SHIP) or RANK[person.role] < RANK[least]:
        return DeployRefused("role", f"For {place.name} breaking the glass takes the role {least.label.lower()}.")
    return None


def own_work(run: Run, person: Any) -> str:
    """In what way the run is this person's own work, as a sentence for them; empty when it is not."""
    return makers_of([run])[run.pk].own(person)
