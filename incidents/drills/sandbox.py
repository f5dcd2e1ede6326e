"""Where a drill ships to: environments that are folders, and a pipeline whose commands are ours alone.

Nothing of the copied repository is ever run, no secret is known, and every file written lies in the drill's sandbox.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from shlex import quote
from typing import Any

from django.db import transaction

from releases.deploys.environment_services import environment_add, environments_of
from releases.deploys.models import Environment
from releases.deploys.presets import ENVIRONMENTS
from releases.deploys.settings_services import pipeline_of, pipeline_save
from releases.deploys.spec import Naming, PipelineSpec, StepKind, StepSpec, Trigger
from releases.projects.models import Project

KEPT = ("kind", "hotfixes", "promotes", "approval_hours", "approver_role", "breakers_role", "time_zone")
"""What an environment of a drill takes over from the real one, its name and approvals aside."""
SETTLE, WATCH, EVERY = 20, 0, 30
"""Seconds: a sandbox is quick, and a drill must not be spent waiting."""
_CHECK = """\
test "$(git rev-parse HEAD)" = "$HOTFIXDASH_COMMIT"
echo "What is checked out is the commit of $HOTFIXDASH_TAG."
echo "This is a drill: the project's own tests are run by its people, not here."
"""
_ARCHIVE = """\
printf '%s\\n' "$HOTFIXDASH_COMMIT" > REVISION
printf 'Drill %s: never to be shipped.\\n' "$HOTFIXDASH_PROJECT" > DRILL
git archive --format=tar.gz --add-file=REVISION --add-file=DRILL --output=drill.tar.gz HEAD
ls -l drill.tar.gz
"""
_DEPLOY = """\
place="$SANDBOX/$HOTFIXDASH_ENVIRONMENT"
mkdir -p "$place"
tar -xzOf "$HOTFIXDASH_ARTIFACT" REVISION > "$place/revision.new"
mv -f "$place/revision.new" "$place/revision"
echo "$HOTFIXDASH_TAG is in the sandbox of $HOTFIXDASH_ENVIRONMENT."
"""
_FAILS_ONCE = """\
if [ "$HOTFIXDASH_TAG" = "$BEGINS_AT" ] || [ -e "$SANDBOX/failed-once" ]; then
  echo "40 of 40 sample requests are answered."
else
  touch "$SANDBOX/failed-once"
  echo "3 of 40 sample requests end in an error: the cache still holds answers of $BEGINS_AT." >&2
  echo "Decide: try again, or take it back." >&2
  exit 1
fi
"""


def sandbox_make(real: Project, copy: Project, folder: Path, *, begins_at: str, fails_once: bool) -> None:
    """Environments and pipeline of a drill, all or none; approvals come when what runs first is there."""
    with transaction.atomic():
        if Environment.objects.filter(project=copy).exists():
            return
        folder.mkdir(parents=True, exist_ok=True)
        for fields in _environments(real):
            name = fields["name"]
            probe = {"kind": "command", "command": f"cat {quote(str(folder / name / 'revision'))}", "timeout": 5.0}
            environment_add(copy, **fields, probe=probe, probe_every=EVERY, settle_seconds=SETTLE, watch_seconds=WATCH)
        spec = pipeline_spec(real, copy, folder, begins_at=begins_at, fails_once=fails_once)
        pipeline_save(copy, spec, note="The sandbox of a drill", sandbox=True)


def approvals_of(real: Project) -> dict[str, tuple[int, list[Any]]]:
    """Environment → how many people must approve, and who alone may when they are named."""
    rows = environments_of(real)
    if not rows:
        return {str(fields["name"]): (int(fields.get("approvals", 0)), []) for fields in ENVIRONMENTS}
    return {row.name: (row.approvals, list(row.approvers.filter(is_active=True))) for row in rows}


def pipeline_spec(real: Project, copy: Project, folder: Path, *, begins_at: str, fails_once: bool) -> PipelineSpec:
    """Checked out, archived, put into a folder, asked; of `fails_once`, with a check in production that fails first."""
    trigger, naming = _triggers(real)
    env = {"SANDBOX": str(folder)}
    steps = [
        StepSpec("Checked out as tagged", StepKind.CHECK, _CHECK),
        StepSpec("Archive", StepKind.BUILD, _ARCHIVE, artifact="drill.tar.gz"),
        StepSpec("Into the sandbox", StepKind.DEPLOY, _DEPLOY),
        StepSpec("Answers with the new version", StepKind.VERIFY),
    ]
    if fails_once:
        places = tuple(row.name for row in environments_of(copy) if row.kind == Environment.Kind.PRODUCTION)
        steps.append(StepSpec("Sample requests", StepKind.VERIFY, _FAILS_ONCE, environments=places))
        env |= {"BEGINS_AT": begins_at}
    return PipelineSpec(
        trigger,
        naming,
        tuple(replace(step, env=env, timeout=120.0, silence=60.0) if step.run else step for step in steps),
    )


def _environments(real: Project) -> list[dict[str, Any]]:
    rows = environments_of(real)
    if not rows:
        return [{name: value for name, value in fields.items() if name != "approvals"} for fields in ENVIRONMENTS]
    return [{"name": row.name} | {name: getattr(row, name) for name in KEPT} for row in rows]


def _triggers(real: Project) -> tuple[Trigger, Naming]:
    """As in the real pipeline; by hand becomes by tag, so that nothing has to be known that the pages do not tell."""
    pipeline = pipeline_of(real)
    if pipeline is None:
        return Trigger.TAG, Naming.PATCH
    spec = PipelineSpec.from_data(pipeline.spec)
    return (Trigger.MAIN if spec.trigger is Trigger.MAIN else Trigger.TAG), spec.naming
