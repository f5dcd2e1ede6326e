"""A pipeline while it is changed in the browser, form by form; nothing runs by it until it is saved as a version.

Each change names the `stamp` of what the person looked at: two who change it at once do not undo each other unseen.
A draft is the work of a moment and leaves no ledger row; saving it does.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from django.db import transaction
from django.utils import timezone

from releases.projects.models import Project

from .models import Pipeline, PipelineDraft
from .settings_services import SettingsRefused, pipeline_of, pipeline_save
from .spec import PipelineSpec, StepSpec

Change = Callable[[PipelineSpec], PipelineSpec]


@dataclass(frozen=True, slots=True)
class Draft:
    """What the editor shows: the draft, or without one the version that counts."""

    spec: PipelineSpec
    base: int
    row: PipelineDraft | None
    now: Pipeline | None

    @property
    def stamp(self) -> str:
        """Differs when the draft does."""
        text = json.dumps([self.base, self.spec.as_data()], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def overtaken(self) -> bool:
        """Another version was saved since it was begun."""
        return self.now is not None and self.now.version != self.base


def draft_of(project: Project) -> Draft:
    now = pipeline_of(project)
    row = PipelineDraft.objects.filter(project=project).select_related("changed_by").first()
    if row is not None:
        return Draft(PipelineSpec.from_data(row.spec), row.base, row, now)
    return Draft(PipelineSpec.from_data(now.spec) if now else PipelineSpec(), now.version if now else 0, None, now)


def draft_change(project: Project, change: Change, *, stamp: str, actor: Any) -> Draft:
    """Change the draft, which begins with the first change. Raises `SettingsRefused` when it is no longer as shown."""
    with transaction.atomic():
        Project.objects.select_for_update().get(pk=project.pk)
        draft = draft_of(project)
        if draft.stamp != stamp:
            raise SettingsRefused("The pipeline was changed meanwhile. This is how it stands; change it again.")
        spec = change(draft.spec)
        if spec == draft.spec:
            return draft
        if draft.now is not None and draft.now.version == draft.base and spec == PipelineSpec.from_data(draft.now.spec):
            PipelineDraft.objects.filter(project=project).delete()  # Everything was changed back.
        else:
            PipelineDraft.objects.update_or_create(
                project=project,
                defaults={
                    "spec": spec.as_data(), "base": draft.base, "changed_by": actor, "changed_at": timezone.now(),
                },
            )  # fmt: skip
        return draft_of(project)


def draft_discard(project: Project) -> bool:
    """Forget it; False when there was none."""
    return bool(PipelineDraft.objects.filter(project=project).delete()[0])


def draft_save(project: Project, *, stamp: str, note: str, actor: Any) -> Pipeline:
    """Make it the next version, in force from now on. Raises `SettingsRefused`; the draft then stays."""
    with transaction.atomic():
        Project.objects.select_for_update().get(pk=project.pk)
        draft = draft_of(project)
        if draft.stamp != stamp:
            raise SettingsRefused("The pipeline was changed meanwhile. Look at it, then save it.")
        made = pipeline_save(project, draft.spec, note=note, actor=actor, after=draft.base)
        draft_discard(project)
    return made


# --- changes ------------------------------------------------------------------------------------------------------


def step_put(index: int, step: StepSpec) -> Change:
    """Put a step where another one is, or behind the last one."""

    def change(spec: PipelineSpec) -> PipelineSpec:
        steps = list(spec.steps)
        steps[index : index + 1] = [step]
        return replace(spec, steps=tuple(steps))

    return change


def step_remove(index: int) -> Change:
    return lambda spec: replace(spec, steps=spec.steps[:index] + spec.steps[index + 1 :])


def step_move(index: int, to: int) -> Change:
    """Give a step another place; the others close up."""

    def change(spec: PipelineSpec) -> PipelineSpec:
        steps = list(spec.steps)
        if 0 <= index < len(steps):
            steps.insert(min(max(to, 0), len(steps)), steps.pop(index))
        return replace(spec, steps=tuple(steps))

    return change
