"""When the releases of open branches ship, as somebody said."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction

from releases.ledger.services import event_write

from .models import Target


def plan_set(target: Target, planned_for: datetime | None, actor: Any = None) -> bool:
    """Write down when the release of `target` ships; None takes the date away. False when nothing changed."""
    with transaction.atomic():
        changed = (
            Target.objects.filter(pk=target.pk).exclude(planned_for=planned_for).update(planned_for=planned_for)
            if planned_for
            else Target.objects.filter(pk=target.pk, planned_for__isnull=False).update(planned_for=None)
        )
        if not changed:
            return False
        event_write(
            "release.planned", project_id=target.project_id, actor=actor, actor_name="" if actor else "operator",
            target=target.branch,
            old=target.planned_for.isoformat() if target.planned_for else "",
            new=planned_for.isoformat() if planned_for else "",
            why=f"The release from {target.branch} has {'a' if planned_for else 'no'} date.",
        )  # fmt: skip
    return True


def planned_targets(project_pk: int) -> list[Target]:
    """Open branches that a release is to come from, in the matrix's order."""
    rows = Target.objects.filter(project=project_pk, closed_at=None).exclude(kind=Target.Kind.SUPPORT)
    return list(rows.order_by("position", "branch"))
