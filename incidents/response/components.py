"""Components, and maintenance that was announced before it begins."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from releases import live
from releases.ledger.services import event_write
from releases.policies.typed import typed
from releases.projects.models import Project

from .errors import IncidentError
from .models import Component, Health, Impact, Maintenance
from .states import worst


def component_save(
    project: Project, name: str, *, says: str = "", order: int = 0, baseline: int = Health.WORKING,
    component: Component | None = None, actor: Any = None,
) -> Component:  # fmt: skip
    """Make or change a component. Raises IncidentError (field: name, says, baseline)."""
    wanted = typed(" ".join(name.split()), "name", "The name", 80, error=IncidentError)
    told = typed(" ".join(says.split()), "says", "What it does", 200, required=False, error=IncidentError)
    if baseline not in Health.values:
        raise IncidentError("baseline", "Choose one of the states.")
    row = component or Component(project=project)
    old = Health(row.baseline).label if row.pk else ""
    row.name, row.says, row.order, row.baseline, row.retired_at = wanted, told, order, baseline, None
    try:
        with transaction.atomic():
            row.save()
            new = Health(baseline).label
            _tell(project, "component.saved", actor, wanted, old=old, new=new, why=f"{wanted}: {new.lower()}.")
    except IntegrityError:
        raise IncidentError("name", f"There is a component {wanted} already.", "taken") from None
    return row


def component_retire(component: Component, actor: Any = None) -> None:
    """Take it off every page; its history stays."""
    with transaction.atomic():
        if Component.objects.filter(pk=component.pk, retired_at=None).update(retired_at=timezone.now()):
            why = f"{component.name} is shown no more."
            _tell(component.project, "component.retired", actor, component.name, why=why)


def maintenance_plan(
    project: Project, title: str, starts_at: datetime, ends_at: datetime, *, text: str = "",
    components: Iterable[Component] = (), actor: Any = None,
) -> Maintenance:  # fmt: skip
    """Announce work. Raises IncidentError (field: title, text, ends_at)."""
    wanted = typed(" ".join(title.split()), "title", "The title", 200, error=IncidentError)
    told = typed(text, "text", "What people notice", 5_000, lines=True, required=False, error=IncidentError)
    if ends_at <= starts_at:
        raise IncidentError("ends_at", "It ends before it begins.", "order")
    if ends_at <= timezone.now():
        raise IncidentError("ends_at", "That is over already.", "past")
    with transaction.atomic():
        row = Maintenance.objects.create(
            project=project, title=wanted, text=told, starts_at=starts_at, ends_at=ends_at, made_by=actor
        )
        row.components.set(components)
        _tell(project, "maintenance.planned", actor, wanted, new=starts_at.isoformat(), why=f"Planned: {wanted}.")
    return row


def maintenance_cancel(row: Maintenance, actor: Any = None) -> None:
    """It does not happen, or is over early."""
    with transaction.atomic():
        if Maintenance.objects.filter(pk=row.pk, cancelled_at=None).update(cancelled_at=timezone.now()):
            _tell(row.project, "maintenance.cancelled", actor, row.title, why=f"Cancelled: {row.title}.")


def health_of(components: Sequence[Component], now: datetime | None = None) -> dict[int, Health]:
    """How each component is now, by its key: the worst of its own state, open incidents and running maintenance.

    Drills hurt nothing. Two queries.
    """
    moment = now or timezone.now()
    pks = [component.pk for component in components]
    hurt: dict[int, list[int]] = defaultdict(list)
    open_ones = Impact.objects.filter(component__in=pks, until=None, incident__drill=None)
    for component_pk, health in open_ones.values_list("component_id", "health"):
        hurt[component_pk].append(health)
    works = Maintenance.objects.filter(
        components__in=pks, cancelled_at=None, starts_at__lte=moment, ends_at__gt=moment
    ).values_list("components", flat=True)
    for component_pk in works:
        hurt[component_pk].append(Health.MAINTENANCE)
    return {row.pk: Health(worst(row.baseline, hurt[row.pk])) for row in components}


def _tell(project: Project, kind: str, actor: Any, name: str, *, old: str = "", new: str = "", why: str = "") -> None:
    event_write(
        kind, project_id=project.pk, actor=actor, actor_name="" if actor else "operator",
        subject=f"component:{name}", old=old, new=new, why=why,
    )  # fmt: skip
    live.publish(live.project_topic(project.pk))
