"""A project's shipping settings from a file, all or nothing. Whoever calls it has asked who may."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.utils import timezone

from releases.projects.models import Project

from .comparing import pipeline_differences
from .environment_services import (
    environment_add,
    environment_retire,
    environment_save,
    environments_of,
    environments_order,
    people_called,
)
from .errors import DeployRefused
from .freezing import freeze_add, freeze_end, freeze_says, zone_of
from .models import DeploySecret, Environment, Freeze
from .settings_services import SettingsRefused, pipeline_of, pipeline_save
from .spec import PipelineSpec
from .toml_form import NotReadable, WantedEnvironment, WantedFreeze, local, shipping_read, shipping_text


@dataclass(frozen=True, slots=True)
class Applied:
    """What changed, as sentences, and what is still missing for it to work."""

    changes: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


def project_export(project: Project) -> str:
    """Everything that `project_apply` takes, as TOML. Of secrets only the names."""
    now = pipeline_of(project)
    rows = Environment.objects.filter(project=project, retired_at=None).order_by("order", "pk")
    loaded = rows.select_related("project").prefetch_related("approvers", "freezes__environment")
    names = DeploySecret.objects.filter(project=project).order_by("name").values_list("name", flat=True)
    spec = PipelineSpec.from_data(now.spec) if now else None
    return shipping_text(project.name, loaded, spec, names, timezone.now())


def project_apply(project: Project, text: str, actor: Any = None, *, note: str = "", dry_run: bool = False) -> Applied:
    """Make the settings what the file says. Raises `SettingsRefused`, and then nothing changed.

    `dry_run`: everything is done, told, and taken back again.
    """
    try:
        wanted = shipping_read(text)
    except NotReadable as fault:
        raise SettingsRefused(*fault.problems) from None
    with transaction.atomic():
        Project.objects.select_for_update().get(pk=project.pk)
        changes: list[str] = []
        if wanted.environments is not None:
            changes += _environments(project, wanted.environments, actor)
        if wanted.pipeline is not None:
            changes += _pipeline(project, wanted.pipeline, note, actor)
        missing = shipping_missing(project, wanted.secrets)
        if dry_run:
            transaction.set_rollback(True)
    return Applied(tuple(changes), tuple(missing))


def shipping_missing(project: Project, secrets: Iterable[str] = ()) -> list[str]:
    """What a pipeline names that is not there: it may be kept so, but its steps would fail or never run."""
    now = pipeline_of(project)
    spec = PipelineSpec.from_data(now.spec) if now else PipelineSpec()
    stored = set(DeploySecret.objects.filter(project=project).values_list("name", flat=True))
    named = {name for step in spec.steps for name in step.secrets} | set(secrets)
    found = [f"The secret {name} has no value yet." for name in sorted(named - stored)]
    places = [row.name for row in environments_of(project)]
    for step in spec.steps:
        if step.environments and not any(step.runs_in(place) for place in places):
            found.append(f"Step {step.name} is for {', '.join(step.environments)}, which is no environment here.")
    return found


def _pipeline(project: Project, spec: PipelineSpec, note: str, actor: Any) -> list[str]:
    before = pipeline_of(project)
    old = PipelineSpec.from_data(before.spec) if before else None
    made = pipeline_save(project, spec, note=note, actor=actor)
    if before is not None and made.pk == before.pk:
        return []
    start, steps = pipeline_differences(old, spec)
    said = [f"{field.name.capitalize()}: {field.old or 'not set'} → {field.new}." for field in start]
    return [f"The pipeline gets version {made.version}.", *said, *(change.sentence for change in steps)]


def _environments(project: Project, wanted: Iterable[WantedEnvironment], actor: Any) -> list[str]:
    known = {row.name: row for row in environments_of(project)}
    changes: list[str] = []
    names = []
    for item in wanted:
        names.append(item.name)
        try:
            changes += _environment(project, known.get(item.name), item, actor)
        except SettingsRefused as refusal:
            where = f"{item.name}: {refusal.field}: " if refusal.field else f"{item.name}: "
            raise SettingsRefused(*(f"{where}{said}" for said in refusal.problems)) from None
    for name, row in known.items():
        if name not in names:
            environment_retire(row, actor=actor)
            changes.append(f"The environment {name} is taken out of use.")
    if environments_order(project, names, actor=actor):
        changes.append(f"Releases go {' → '.join(names)}.")
    return changes


def _environment(project: Project, row: Environment | None, item: WantedEnvironment, actor: Any) -> list[str]:
    people = people_called(item.approvers)
    if row is None:
        row = environment_add(project, item.name, approvers=people, actor=actor, **item.settings)
        changes = [f"The environment {item.name} is added."]
    else:
        told = environment_save(row, approvers=people, actor=actor, **item.settings)
        changes = [f"{item.name}: {', '.join(name.replace('_', ' ') for name in told)} changed."] if told else []
    if item.freezes is not None:
        changes += _freezes(row, item.freezes, actor)
    return changes


def _freezes(row: Environment, wanted: Iterable[WantedFreeze], actor: Any) -> list[str]:
    """Windows are the same when they say the same; one that is over is history, and no file's business."""
    zone = zone_of(row)
    now = timezone.now()
    standing = {_window(window): window for window in row.freezes.all() if not window.ends_at or window.ends_at > now}
    changes = []
    for item in wanted:
        starts, ends = local(item.starts, zone), local(item.ends, zone)
        if standing.pop((item.why.strip()[:200], starts, ends, item.weekdays, item.from_time, item.until_time), None):
            continue
        try:
            made = freeze_add(
                row, item.why, actor=actor, starts_at=starts, ends_at=ends, weekdays=item.weekdays,
                from_time=item.from_time, until_time=item.until_time,
            )  # fmt: skip
        except DeployRefused as refusal:
            raise SettingsRefused(refusal.sentence, field="freezes") from None
        changes.append(f"{row.name}: frozen {freeze_says(made)}.")
    for window in standing.values():
        freeze_end(window, actor)
        changes.append(f"{row.name}: no longer frozen {freeze_says(window)}.")
    return changes


def _window(window: Freeze) -> tuple[Any, ...]:
    return (
        window.why, window.starts_at, window.ends_at, tuple(sorted(window.weekdays)), window.from_time,
        window.until_time,
    )  # fmt: skip
