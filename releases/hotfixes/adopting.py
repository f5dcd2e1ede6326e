"""Giving a ticket to what has none: a hotfix branch or a patch tag that somebody made without the dashboard."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from releases.ledger.services import event_write
from releases.policies.flow import FlowPolicy
from releases.policies.models import Fix
from releases.projects.models import Project, Ref, Release

from .errors import HotfixError
from .ground import HEADS
from .keys import key_checked, key_in
from .models import Hotfix, Untracked
from .observing import hotfixes_observe
from .services import LONGEST_TITLE, ticket_create


def hotfix_adopt(project: Project, name: str, actor: Any = None, key: str = "") -> Hotfix:
    """Open (or find) the ticket for a branch or a patch tag of this name. Raises HotfixError.

    Without `key` the one that its name or its commits carry is taken. A branch goes before a tag of the same name.
    """
    policy = FlowPolicy.from_data(project.policy)
    branch = Ref.objects.filter(project=project, name=f"{HEADS}{name}"[:300], deleted_at=None).first()
    release = Release.objects.filter(project=project, tag=name[:250], deleted_at=None).first()
    if branch is not None:
        hotfix = _of_branch(project, policy, name, actor, key)
    elif release is not None:
        hotfix = _of_tag(project, policy, release, actor, key)
    else:
        raise HotfixError("name", "There is no branch and no version tag of this name.", "no-such-ref")
    Untracked.objects.filter(project=project, name=name).delete()
    hotfixes_observe(project, only=(hotfix.pk,))
    hotfix.refresh_from_db()
    return hotfix


def _of_branch(project: Project, policy: FlowPolicy, name: str, actor: Any, key: str) -> Hotfix:
    standing = Hotfix.objects.filter(project=project, branch=name).first()
    if standing is not None:
        raise HotfixError("name", f"{name} belongs to {standing.key} already.", "taken")
    known = Untracked.objects.filter(project=project, kind=Untracked.Kind.BRANCH, name=name).first()
    wanted = key or (known.key if known else "") or key_in(policy, name)
    title = (known.title if known else "") or f"Hotfix on {name}"
    ticket = Hotfix.objects.filter(project=project, key__iexact=wanted).first()
    if ticket is not None:
        return _tie(ticket, name, actor)
    fresh = Hotfix(
        project=project, key=key_checked(wanted, policy, free=True), title=title[:LONGEST_TITLE], owner=actor,
        asked_by=actor, branch=name,
    )  # fmt: skip
    ticket_create(fresh, actor, why=f"{fresh.key} was opened for the branch {name}, which had no ticket.")
    return fresh


def _tie(hotfix: Hotfix, branch: str, actor: Any) -> Hotfix:
    """A ticket with this key is open but has no branch that is still there: this one is its branch from now on."""
    here = Ref.objects.filter(project=hotfix.project, name=f"{HEADS}{hotfix.branch}", deleted_at=None).exists()
    if hotfix.branch and here:
        raise HotfixError("key", f"{hotfix.key} has the branch {hotfix.branch}. Choose another key.", "taken")
    with transaction.atomic():
        Hotfix.objects.filter(pk=hotfix.pk).update(branch=branch)
        event_write(
            "hotfix.adopted", project_id=hotfix.project_id, actor=actor, actor_name="" if actor else "operator",
            subject=f"hotfix:{hotfix.key}", old=hotfix.branch, new=branch, why=f"{branch} is its branch.",
        )  # fmt: skip
    return hotfix


def _of_tag(project: Project, policy: FlowPolicy, release: Release, actor: Any, key: str) -> Hotfix:
    if release.kind != Release.Kind.PATCH:
        raise HotfixError("name", f"{release.tag} is no patch release.", "not-a-patch")
    shipped = Fix.objects.filter(project=project, shipped_in=release.tag, present=True, chore=False, hotfixes=None)
    fixes = list(shipped.order_by("live_since", "pk"))
    tickets = [fix.ticket for fix in fixes if fix.ticket]
    wanted = key or next(iter(tickets), "") or release.tag
    ticket = Hotfix.objects.filter(project=project, key__iexact=wanted).first()
    if ticket is None:
        title = fixes[0].subject if fixes else release.subject or f"Patch release {release.tag}"
        ticket = Hotfix(
            project=project, key=key_checked(wanted, policy, free=True), title=title[:LONGEST_TITLE], owner=actor,
            asked_by=actor, tag=release.tag,
        )  # fmt: skip
        ticket_create(ticket, actor, why=f"{ticket.key} was opened for {release.tag}, which had no ticket.")
    with transaction.atomic():
        ticket.fixes.add(*fixes)
    return ticket
