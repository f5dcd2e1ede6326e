"""The only writer of how an environment is set up; what runs in it is written by others. Each change is a ledger row.

Ledger kinds: environment.added, environment.changed, environment.retired, environment.restored.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from releases.ledger.services import event_write
from releases.projects.models import Project

from .checking import environment_faults
from .following import stages_told_keep
from .models import Environment, Run
from .models.runs import HOLDING, WAITING
from .presets import ENVIRONMENTS, skeleton
from .probing import probe_check
from .settings_services import SettingsRefused, pipeline_of, pipeline_save

SETTABLE = (
    "kind", "url", "hotfixes", "promotes", "approvals", "approver_role", "approval_hours", "breakers_role", "time_zone",
    "probe", "probe_every", "settle_seconds", "watch_seconds", "rolls_back",
)  # fmt: skip
"""What a person decides about an environment, its name, place, approvers and freezes aside."""


def environments_of(project: Project, *, retired: bool = False) -> list[Environment]:
    """In promotion order; those taken out of use only when asked for, and then alone."""
    return list(Environment.objects.filter(project=project, retired_at__isnull=not retired).order_by("order", "pk"))


def environment_add(
    project: Project, name: str, *, approvers: Iterable[Any] = (), actor: Any = None, **settings: Any
) -> Environment:
    """A new last environment; one of this name that was taken out of use comes back. Raises `SettingsRefused`."""
    with transaction.atomic():
        Project.objects.select_for_update().get(pk=project.pk)
        known = {found.name: found for found in Environment.objects.filter(project=project)}
        old = known.get(name)
        if old is not None and old.retired_at is None:
            raise SettingsRefused(f"There is an environment {name} already.", field="name")
        order = max((found.order for found in known.values() if found.retired_at is None), default=0) + 10
        row = old or Environment(project=project, name=name)
        row.order, row.retired_at = order, None
        _set(row, settings)
        row.save()
        row.approvers.set(approvers)
        kind, how = ("environment.restored", "is in use again") if old else ("environment.added", "was added")
        _tell(row, kind, f"The environment {name} {how}.", actor)
    return row


def environment_save(
    environment: Environment, *, approvers: Iterable[Any] | None = None, actor: Any = None, **settings: Any
) -> list[str]:
    """Change what is given; the names of what really changed, none when all was so already. Raises `SettingsRefused`.

    Another address or probe is asked at once, and what the former one said no longer counts.
    """
    with transaction.atomic():
        row = Environment.objects.select_for_update().get(pk=environment.pk)
        old = {name: getattr(row, name) for name in settings}
        _set(row, settings)
        different = sorted(name for name in settings if getattr(row, name) != old[name])
        row.save(update_fields=[*different, *_asked_anew(row, different)])
        told = {name: {"old": old[name], "new": getattr(row, name)} for name in different}
        if approvers is not None:
            told |= _approvers(row, approvers)
        if told:
            names = ", ".join(name.replace("_", " ") for name in told)
            _tell(row, "environment.changed", f"Changed of {row.name}: {names}.", actor, told)
    environment.refresh_from_db()
    return list(told)


def _set(row: Environment, settings: dict[str, Any]) -> None:
    """Put the settings onto the row, checked. Raises `SettingsRefused`."""
    unknown = set(settings) - set(SETTABLE)
    if unknown:
        raise TypeError(f"cannot set {', '.join(sorted(unknown))}")
    for name, value in settings.items():
        setattr(row, name, value)
    try:
        row.full_clean(validate_unique=False, validate_constraints=False)
    except ValidationError as error:
        field, said = next(iter(error.message_dict.items()))
        raise SettingsRefused(said[0], field=field) from None
    for field, sentence in environment_faults(row).items():
        raise SettingsRefused(sentence, field=field)
    if problems := probe_check(row.probe, row.url):
        raise SettingsRefused(*problems, field="probe")


def _asked_anew(row: Environment, different: Sequence[str]) -> list[str]:
    """Forget what a former probe said; it may have asked something else."""
    if not {"probe", "probe_every"} & set(different):
        return []
    row.next_probe_at = timezone.now() if row.probe else None
    if "probe" not in different:
        return ["next_probe_at"]
    row.seen, row.seen_at, row.healthy, row.probe_error = "", None, None, ""
    row.unwell_since, row.drift_since, row.bad_probes = None, None, 0
    return ["next_probe_at", "seen", "seen_at", "healthy", "probe_error", "unwell_since", "drift_since", "bad_probes"]


def _approvers(row: Environment, approvers: Iterable[Any]) -> dict[str, Any]:
    old = sorted(user.get_username() for user in row.approvers.all())
    row.approvers.set(approvers)
    new = sorted(user.get_username() for user in row.approvers.all())
    return {"approvers": {"old": old, "new": new}} if old != new else {}


def people_called(names: Iterable[str]) -> list[Any]:
    """Those who may sign in, by user name. Raises `SettingsRefused` when somebody is not known."""
    wanted = list(names)
    found = {user.get_username(): user for user in get_user_model().objects.filter(username__in=wanted, is_active=True)}
    for name in wanted:
        if name not in found:
            raise SettingsRefused(f"Nobody who may sign in is called {name}.", field="approvers")
    return list(found.values())


def environments_order(project: Project, names: Sequence[str], *, actor: Any = None) -> bool:
    """Put them into this promotion order; False when they stand so. Those not named come last, as they stood."""
    with transaction.atomic():
        Project.objects.select_for_update().get(pk=project.pk)
        rows = environments_of(project)
        place = {name: index for index, name in enumerate(names)}
        wanted = sorted(rows, key=lambda row: place.get(row.name, len(place)))
        if wanted == rows:
            return False
        for index, row in enumerate(wanted, 1):
            Environment.objects.filter(pk=row.pk).update(order=index * 10)
        said = " → ".join(row.name for row in wanted)
        event_write(
            "environment.changed", project_id=project.pk, actor=actor, actor_name="" if actor else "operator",
            subject=f"project:{project.slug}", new=said, why=f"Releases now go {said}.",
        )  # fmt: skip
    return True


def environment_retire(environment: Environment, *, actor: Any = None) -> None:
    """Take it out of use; its history stays. Raises `SettingsRefused` while something goes there or waits to."""
    with transaction.atomic():
        row = Environment.objects.select_for_update().get(pk=environment.pk)
        if row.retired_at is not None:
            return
        active = (*HOLDING, *WAITING, Run.State.WATCHING)
        if Run.objects.filter(environment=row, state__in=active).exists():
            raise SettingsRefused(f"{row.name} has a deployment that runs or waits. End it or take it back first.")
        row.retired_at, row.next_probe_at = timezone.now(), None
        row.save(update_fields=["retired_at", "next_probe_at"])
        _tell(row, "environment.retired", f"The environment {row.name} was taken out of use.", actor)


def shipping_set_up(project: Project, *, actor: Any = None) -> None:
    """Give a project what it lacks of the usual environments and a pipeline to start from; leaves what there is."""
    with transaction.atomic():
        if not environments_of(project):
            for preset in ENVIRONMENTS:
                environment_add(project, actor=actor, **preset)
        if pipeline_of(project) is None:
            trunk = project.policy.get("preset") == "trunk"
            pipeline_save(project, skeleton(trunk=trunk), note="To start from", actor=actor)


def _tell(row: Environment, kind: str, why: str, actor: Any, changed: dict[str, Any] | None = None) -> None:
    """Write it down, and let tickets know which of their steps the project now tells of."""
    stages_told_keep(row.project)
    event_write(
        kind, project_id=row.project_id, actor=actor, actor_name="" if actor else "operator",
        subject=f"environment:{row.name}", why=why, evidence={"changed": changed} if changed else None,
    )  # fmt: skip
