"""The only writer of a project's pipeline and secrets; see environment_services.py for the rest of its settings.

Ledger kinds: pipeline.saved, secret.set, secret.removed. No row ever holds the value of a secret.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Max

from releases.ledger.services import event_write
from releases.projects.models import Project
from releases.projects.secrets import SecretUnreadable, decrypt, encrypt

from .checking import SECRET, pipeline_check, variable_fault
from .following import stages_told_keep
from .models import DeploySecret, Pipeline
from .spec import PipelineSpec

LEAST_SECRET, MOST_SECRET = 4, 20_000
"""Characters. A shorter one could not be masked without masking half of the log."""


class SettingsRefused(Exception):
    """The settings cannot be so; `problems` are sentences for people, and none of them holds a secret."""

    def __init__(self, *problems: str, field: str = "") -> None:
        super().__init__(" ".join(problems))
        self.problems = list(problems)
        self.field = field


class SecretMissing(Exception):
    """A step asks for a secret that is not stored, or cannot be read; the message is a sentence for people."""


_DRILL = "This is a drill: its copy ships into its own sandbox, and knows no secrets."


# --- pipeline -----------------------------------------------------------------------------------------------------


def pipeline_of(project: Project) -> Pipeline | None:
    """The version that counts now."""
    return Pipeline.objects.filter(project=project).order_by("-version").first()


def pipeline_save(
    project: Project, spec: PipelineSpec, *, note: str = "", actor: Any = None, after: int | None = None,
    sandbox: bool = False,
) -> Pipeline:  # fmt: skip
    """Keep it as the next version; the same as the one that counts gives that one. Raises `SettingsRefused`.

    `after`: the version that was edited (0 for none); it is refused when somebody saved another one meanwhile.
    `sandbox`: made for a drill; a drill's copy takes no other, so that nothing in it reaches a real place.
    """
    if project.is_drill and not sandbox:
        raise SettingsRefused(_DRILL)
    if problems := pipeline_check(spec):
        raise SettingsRefused(*problems)
    data = spec.as_data()
    try:
        with transaction.atomic():
            Project.objects.select_for_update().get(pk=project.pk)
            now = pipeline_of(project)
            if now is not None and PipelineSpec.from_data(now.spec) == spec:
                return now
            version = now.version if now else 0
            if after is not None and after != version:
                raise SettingsRefused(f"Version {version} was saved meanwhile. Look at it and change it again.")
            made = Pipeline.objects.create(
                project=project, version=version + 1, spec=data, note=note[:200], made_by=actor
            )  # fmt: skip
            event_write(
                "pipeline.saved", project_id=project.pk, actor=actor, actor_name="" if actor else "operator",
                subject=f"project:{project.slug}", old=str(version or ""), new=str(made.version),
                why=f"Version {made.version} of the pipeline was saved{f': {note}' if note else '.'}",
            )  # fmt: skip
            stages_told_keep(project)
    except IntegrityError:
        latest = Pipeline.objects.filter(project=project).aggregate(n=Max("version"))["n"]
        raise SettingsRefused(f"Version {latest} was saved meanwhile. Look at it and change it again.") from None
    return made


# --- secrets ------------------------------------------------------------------------------------------------------


def secret_set(project: Project, name: str, value: str, *, actor: Any = None) -> DeploySecret:
    """Keep a value, encrypted; the former one of this name is gone. Raises `SettingsRefused`."""
    if project.is_drill:
        raise SettingsRefused(_DRILL, field="name")
    if not SECRET.match(name) or len(name) > 80:
        raise SettingsRefused("Capitals, digits and underscores, 80 at most: DEPLOY_TOKEN.", field="name")
    if said := variable_fault(name):
        raise SettingsRefused(said, field="name")
    if not LEAST_SECRET <= len(value) <= MOST_SECRET or not value.strip():
        raise SettingsRefused(f"Between {LEAST_SECRET} and {MOST_SECRET:,} characters.", field="value")
    if "\x00" in value:
        raise SettingsRefused("No program can be given a value with a null character.", field="value")
    with transaction.atomic():
        kept, _made = DeploySecret.objects.update_or_create(
            project=project, name=name, defaults={"value": encrypt(value), "changed_by": actor}
        )
        _tell_secret(project, "secret.set", name, "was set", actor)
    return kept


def secret_remove(project: Project, name: str, *, actor: Any = None) -> bool:
    """Forget it; False when there was none."""
    with transaction.atomic():
        removed, _by_model = DeploySecret.objects.filter(project=project, name=name).delete()
        if removed:
            _tell_secret(project, "secret.removed", name, "was removed", actor)
    return bool(removed)


def _tell_secret(project: Project, kind: str, name: str, how: str, actor: Any) -> None:
    event_write(
        kind, project_id=project.pk, actor=actor, actor_name="" if actor else "operator",
        subject=f"project:{project.slug}", new=name, why=f"The secret {name} {how}.",
    )  # fmt: skip


def secret_values(project: Project, names: Iterable[str]) -> dict[str, str]:
    """In the clear, for the environment of a step and for masking its log. Raises `SecretMissing`."""
    wanted = sorted(set(names))
    kept = dict(DeploySecret.objects.filter(project=project, name__in=wanted).values_list("name", "value"))
    if missing := [name for name in wanted if name not in kept]:
        raise SecretMissing(f"No value is stored for {', '.join(missing)}. An administrator can set it.")
    try:
        return {name: decrypt(kept[name]) for name in wanted}
    except SecretUnreadable:
        raise SecretMissing(
            "A stored secret cannot be read: SECRET_KEY has changed since it was saved. "
            "Add the former key to SECRET_KEY_FALLBACKS, or set the secret again."
        ) from None
