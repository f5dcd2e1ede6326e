"""Who may say yes to a run, and who not: the role, the names, and nobody about their own work."""

from __future__ import annotations

from typing import Any

from hotfixdash.accounts.roles import Act, Role
from releases.hotfixes.models import Hotfix
from releases.hotfixes.reviewing import is_author
from releases.operations.models import Operation
from releases.projects.models import Project

from .delta import AuthorsUnknown, writers_of
from .errors import DeployRefused
from .models import Approval, Environment, Run

_RANK = {role: number for number, role in enumerate(Role)}


def may_see(run: Run, person: Any) -> None:
    """Raises `DeployRefused` (unseen) when the project is not theirs to see."""
    if not person.is_active or not Project.objects.seen_by(person).filter(pk=run.project_id).exists():
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
    if _RANK[person.role] < _RANK[Role(environment.approver_role)]:
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
    if not person.may(Act.SHIP) or _RANK[person.role] < _RANK[least]:
        return DeployRefused("role", f"For {place.name} only a {least.label.lower()} breaks the glass.")
    return None


def own_work(run: Run, person: Any) -> str:
    """In what way the run is this person's own, as a sentence; empty when it is not.

    Their own is what they asked for, tagged, cut or finished, and all that they wrote or committed last. Where git
    cannot tell who wrote it, nobody is taken for somebody else.
    """
    if run.asked_by_id is not None and run.asked_by_id == person.pk:
        return "You asked for it; somebody else approves."
    release = run.release
    if release is not None and release.tagger and is_author(person, [_signed(release.tagger)]):
        return f"You tagged {run.tag}; somebody else approves."
    if _pushed(run, person):
        return f"You made {run.tag} through the dashboard; somebody else approves."
    try:
        wrote = is_author(person, writers_of(run))
    except AuthorsUnknown as unknown:
        return f"{unknown} Nobody approves until that is known: it may be their own work."
    return f"You wrote some of {run.tag}; somebody else approves." if wrote else ""


def _pushed(run: Run, person: Any) -> bool:
    """Whether this person tagged the release here, or cut the branch that it was made of."""
    done = Operation.objects.filter(project=run.project_id, actor=person, state=Operation.State.DONE)
    if any(made.params.get("tag") == run.tag for made in done.exclude(kind=Operation.Kind.CUT)):
        return True
    keys = Hotfix.objects.filter(project=run.project_id, tag=run.tag).values_list("key", flat=True)
    subjects = [f"hotfix:{key}" for key in keys]
    return bool(subjects) and done.filter(kind=Operation.Kind.CUT, subject__in=subjects).exists()


def _signed(text: str) -> dict[str, str]:
    """`Name <address>`, as a tag names its tagger, in the form that authors are compared in."""
    name, _, address = text.partition("<")
    return {"author_name": name.strip(), "author_email": address.rstrip("> ").strip()}
