"""A drill's copy goes some days after its end, with every file: repository, mirror, facts, sandbox, artifacts.

Rows go first, in one transaction, and what lies on the disk is written down there; files go after it, as often as it
takes. What was learned stays: the drill, its score, and its post-mortem with the timeline.
"""

from __future__ import annotations

import shutil
import time
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from incidents.postmortems.models import Line, PostMortem
from incidents.postmortems.timeline import entries
from releases.deploys.models import Run
from releases.deploys.runner.artifacts import discard
from releases.ledger.services import event_write
from releases.operations.models import Operation
from releases.projects.models import FetchRun, Project
from releases.projects.services import project_delete
from releases.projects.services.mirrors import facts_file, mirror_folder, mirror_remove

from .copying import drill_folder
from .models import Drill

ORPHANED = 3600.0
"""Seconds after which a folder of no drill belongs to nobody."""


def drills_to_remove(now: datetime) -> list[int]:
    """Drills whose copies are to go."""
    return list(Drill.objects.filter(remove_at__lte=now, removed_at=None).values_list("pk", flat=True))


def drill_remove(drill: Drill) -> bool:
    """Remove the copy of one drill now; False while somebody works on it. May be repeated at any point."""
    if drill.is_open or (drill.copy is not None and _busy(drill.copy)):
        return False
    if drill.copy is not None:
        _rows_remove(drill, drill.copy)
        drill.refresh_from_db()
    _files_remove(drill)
    now = timezone.now()
    with transaction.atomic():
        if Drill.objects.filter(pk=drill.pk, removed_at=None).update(removed_at=now, params=_kept(drill.params)):
            event_write(
                "drill.removed", project_id=drill.project_id, actor_name="sweep", subject=f"drill:{drill.pk}",
                why="The copy of a drill was removed, with its files.",
            )  # fmt: skip
    return True


def _busy(copy: Project) -> bool:
    """A worker is at it; a lost one is none, and its files are swept as any other's."""
    return (
        Run.objects.filter(project=copy, state=Run.State.RUNNING).exists()
        or Operation.objects.filter(project=copy, state=Operation.State.RUNNING).exists()
        or FetchRun.objects.filter(project=copy, state=FetchRun.State.RUNNING).exists()
    )


def _rows_remove(drill: Drill, copy: Project) -> None:
    with transaction.atomic():
        kept = Run.objects.filter(project=copy).exclude(artifact="").values_list("artifact", flat=True)
        leftovers = {"artifacts": sorted(set(kept)), "mirror": str(mirror_folder(copy)), "facts": str(facts_file(copy))}
        Drill.objects.filter(pk=drill.pk).update(params=drill.params | {"leftovers": leftovers})
        for postmortem in PostMortem.objects.filter(drill=drill):
            _timeline_keep(postmortem)
        # An incident of the copy goes with it, and its post-mortem must not.
        PostMortem.objects.filter(drill=drill).update(incident=None, hotfix=None)
        project_delete(copy)


def _timeline_keep(postmortem: PostMortem) -> None:
    """The facts of its timeline become lines of its own, because their rows go."""
    facts = [entry for entry in entries(postmortem) if entry.line is None]
    Line.objects.bulk_create(
        Line(postmortem=postmortem, at=entry.at, text=f"{entry.text} ({entry.who})" if entry.who else entry.text)
        for entry in facts
    )
    postmortem.lines.filter(event__isnull=False).delete()


def _files_remove(drill: Drill) -> None:
    left: dict[str, Any] = drill.params.get("leftovers", {})
    for artifact in left.get("artifacts", ()):
        if not Run.objects.filter(artifact=artifact).exists():
            discard(artifact)
    if "mirror" in left:
        mirror_remove(Path(left["mirror"]), Path(left["facts"]))
        with suppress(OSError):
            Path(f"{left['mirror']}.lock").unlink(missing_ok=True)
    folder = drill_folder(drill)
    if folder.exists():
        shutil.rmtree(folder)


def _kept(params: dict[str, Any]) -> dict[str, Any]:
    """Without what was only needed for the copy."""
    return {name: value for name, value in params.items() if name not in ("refs", "leftovers")}


def orphans_remove() -> None:
    """Folders whose drill went with its project."""
    root = Path(settings.DRILLS_DIR)
    if not root.is_dir():
        return
    known = set(Drill.objects.values_list("pk", flat=True))
    for folder in root.iterdir():
        if folder.name.isdecimal() and int(folder.name) in known:
            continue
        with suppress(OSError):
            if time.time() - folder.stat().st_mtime > ORPHANED:
                shutil.rmtree(folder, ignore_errors=True)
