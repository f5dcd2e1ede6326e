"""How long artifacts stay: those that may be needed are kept, the files of the others are removed, their digests stay.

Ledger kind: artifact.removed, with the subject release:<tag>.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.db.models import Max, QuerySet
from django.utils import timezone

from releases.ledger.services import event_write

from .models import Environment, Run
from .models.runs import HOLDING, WAITING
from .runner.artifacts import discard, store
from .selectors import rollback_target, touched_last

log = logging.getLogger(__name__)

FRESH = timedelta(hours=1)
"""A file that was written so recently may belong to a build that is just being written down."""
ORPHAN = timedelta(days=1)
"""A file that no row names (its project was removed) stays for so long."""
_OVER = (Run.State.DONE, Run.State.FAILED, Run.State.ABORTED, Run.State.ABANDONED)
MOST = 200
"""Files that one sweep removes; the next one goes on."""


def artifacts_sweep(now: datetime | None = None) -> int:
    """Remove the files of artifacts that nobody needs any more; how many.

    Kept is what is younger than `ARTIFACT_KEEP_DAYS`, of a project's last `ARTIFACT_KEEP_RELEASES` releases, what runs
    somewhere or is on its way, and what would be brought back if that were taken back.
    """
    now = now or timezone.now()
    old = _old(now)
    if not old.exists():
        return 0
    kept = _kept(old.values_list("project_id", flat=True).distinct())
    removed = 0
    for path in list(old.exclude(artifact__in=kept).values_list("artifact", flat=True).distinct()[:MOST]):
        removed += _remove(path, now)
    return removed


def orphans_sweep(now: datetime | None = None) -> int:
    """Remove files of the store that no row names; how many."""
    limit = (now or timezone.now()) - ORPHAN
    found = 0
    for path in store().glob("sha256/*/*/*"):
        with suppress(OSError):
            if path.stat().st_mtime < limit.timestamp() and not Run.objects.filter(artifact=str(path)).exists():
                discard(path)
                found += 1
    return found


def restored(build_pk: int) -> None:
    """This build made its file, perhaps again: every row that names that one has it."""
    path = Run.objects.values_list("artifact", flat=True).get(pk=build_pk)
    if path:
        Run.objects.filter(artifact=path).exclude(artifact_gone_at=None).update(artifact_gone_at=None)


def _old(now: datetime) -> QuerySet[Run]:
    """Good builds whose file lies in the store for longer than everything is kept."""
    limit = now - timedelta(days=settings.ARTIFACT_KEEP_DAYS)
    builds = Run.objects.filter(kind=Run.Kind.BUILD, artifact__startswith=f"{store()}/", artifact_gone_at=None)
    return builds.filter(finished_at__lt=limit, state__in=_OVER)


def _kept(projects: Iterable[int]) -> set[str]:
    """Paths that stay although they are old."""
    found: set[str] = set()
    for project in projects:
        runs = Run.objects.filter(project=project).exclude(artifact="")
        found |= set(runs.filter(state__in=(*WAITING, *HOLDING, Run.State.WATCHING)).values_list("artifact", flat=True))
        # What is asked for when a build is done may not have been asked for yet.
        fresh = runs.filter(kind=Run.Kind.BUILD, state=Run.State.DONE, followed_at=None)
        found |= set(fresh.values_list("artifact", flat=True))
        last = runs.filter(kind=Run.Kind.BUILD, state=Run.State.DONE).values("tag").annotate(newest=Max("pk"))
        tags = [row["tag"] for row in last.order_by("-newest")[: settings.ARTIFACT_KEEP_RELEASES]]
        found |= set(runs.filter(tag__in=tags).values_list("artifact", flat=True))
        for place in Environment.objects.filter(project=project).select_related("live"):
            if place.live is not None:
                found.add(place.live.artifact)
            before = rollback_target(place, touched_last(place))
            if before is not None:
                found.add(before.artifact)
    return found


def _remove(path: str, now: datetime) -> bool:
    """Write down that it is gone, then remove it: a row may say so of a file that is still there, never the reverse."""
    with suppress(FileNotFoundError):
        if time.time() - Path(path).stat().st_mtime < FRESH.total_seconds():
            return False
    with transaction.atomic():
        rows = Run.objects.filter(artifact=path)
        if rows.select_for_update().filter(state__in=(*WAITING, *HOLDING, Run.State.WATCHING)).exists():
            return False
        build = rows.filter(kind=Run.Kind.BUILD).order_by("-pk").first()
        rows.update(artifact_gone_at=now)
        if build is not None:
            event_write(
                "artifact.removed", project_id=build.project_id, actor_name="sweep", subject=f"release:{build.tag}",
                why=f"The artifact of {build.tag} is kept no longer. Its digest stays: {build.digest}.",
                evidence={"run": build.pk, "digest": build.digest},
            )  # fmt: skip
    discard(path)
    return True
