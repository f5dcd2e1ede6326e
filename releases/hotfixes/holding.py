"""Whether the integration branch may be released, as people say and as the ledger knows."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.utils import timezone

from releases import live
from releases.ledger.models import Event
from releases.ledger.services import event_write
from releases.policies.models import Verdict
from releases.policies.overview import ACT
from releases.policies.typed import typed
from releases.projects.models import Project

from .errors import HotfixError

LONGEST_WHY = 1000


def main_mark_unreleasable(project: Project, why: str, actor: Any = None) -> None:
    """Say that what is on the integration branch must not ship now. Raises HotfixError (field why)."""
    said = typed(why, "why", "The reason", LONGEST_WHY, lines=True, error=HotfixError)
    by = actor.get_username() if actor else "operator"
    with transaction.atomic():
        Project.objects.filter(pk=project.pk).update(
            unreleasable_why=said, unreleasable_by=by, unreleasable_at=timezone.now()
        )
        _tell(project, "main.unreleasable", said, actor)
    project.refresh_from_db(fields=["unreleasable_why", "unreleasable_by", "unreleasable_at"])


def main_mark_releasable(project: Project, why: str, actor: Any = None) -> bool:
    """Take it back; False when nobody had said so. Raises HotfixError (field why)."""
    said = typed(why, "why", "The reason", LONGEST_WHY, lines=True, error=HotfixError)
    with transaction.atomic():
        held = Project.objects.filter(pk=project.pk).exclude(unreleasable_why="")
        if not held.update(unreleasable_why="", unreleasable_by="", unreleasable_at=None):
            return False
        _tell(project, "main.releasable", said, actor)
    project.refresh_from_db(fields=["unreleasable_why", "unreleasable_by", "unreleasable_at"])
    return True


def _tell(project: Project, kind: str, why: str, actor: Any) -> None:
    event_write(
        kind, project_id=project.pk, actor=actor, actor_name="" if actor else "operator",
        subject=f"project:{project.slug}", why=why,
    )  # fmt: skip
    live.publish(live.project_topic(project.pk), live.OVERVIEW)


def why_unreleasable(project: Project, target_pk: int, branch: str, tip: str) -> list[str]:
    """What speaks against releasing the branch at this commit, a sentence each; empty when nothing is known.

    A failed check is what the ledger tells as `check.failed` of the subject `commit:<sha>`.
    """
    said = []
    if project.unreleasable_why:
        said.append(f"{project.unreleasable_by} says that it must not ship: {project.unreleasable_why}")
    owed = Verdict.objects.filter(target=target_pk, owed=True, code__in=ACT).count()
    if owed:
        fixes = "a fix that is live" if owed == 1 else f"{owed:,} fixes that are live"
        said.append(f"The gate is closed: {branch} lacks {fixes}, and releasing it would bring the bugs back.")
    if tip:
        failed = Event.objects.filter(project=project, kind="check.failed", subject=f"commit:{tip}").first()
        if failed is not None:
            said.append(f"A check fails on its head: {failed.why}")
    return said
