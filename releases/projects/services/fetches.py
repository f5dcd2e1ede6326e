"""The queue of fetches. A row is the truth about who fetches what; tasks only nudge it along.

queued → running → done, failed or lost. Every step is an UPDATE filtered on the state (and the fence) it leaves, so
that two workers, a task delivered twice or a worker believed dead can do no harm: not exactly one row changed
means that somebody else has it.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F, Q
from django.utils import timezone

from releases.ledger.services import event_write

from ..models import FetchRun, Project
from .leases import BEAT_EVERY, NUDGE_AGAIN, Beats, silent

SLOWEST_RETRY = 15 * 60
"""Seconds: the longest pause between two tries of a remote that fails."""
LOST_BEFORE_PAUSE = 3
"""So many failures in a row, and a lost run is no longer tried again at once: it may be what kills the worker."""
KEPT_RUNS = 200
"""Finished runs kept per project."""


class FetchLost(Exception):
    """This worker no longer holds the run: it was believed dead, or the run is over. Nothing more may be written."""


def fetch_request(project: Project, trigger: str, actor: Any = None) -> FetchRun:
    """Ask for a look at the remote. Joins the run that waits already, so that ten pushes make one fetch.

    A person, a webhook or a command overrides the back-off of a failing remote. The caller nudges a task on commit.
    """
    urgent = trigger not in ("timer", "retry")
    while True:
        with transaction.atomic():
            run, created = FetchRun.objects.get_or_create(
                project=project,
                state=FetchRun.State.QUEUED,
                defaults={"trigger": trigger, "asked_by": actor},
            )
            if created or not urgent:
                return run
            # Somebody is waiting for it now: the task that follows this must not be held back.
            joined = FetchRun.objects.filter(pk=run.pk, state=FetchRun.State.QUEUED)
            if joined.update(trigger=trigger, asked_by=actor or run.asked_by):
                run.refresh_from_db()
                return run
        # It was claimed in between, perhaps before the change that is asked about: a new one is needed.


def fetch_claim(run_pk: int, worker: str) -> FetchRun | None:
    """Take a queued run; None when it is taken, over, or must wait for another of its project."""
    run = FetchRun.objects.select_related("project").filter(pk=run_pk, state=FetchRun.State.QUEUED).first()
    if run is None or _held_back(run):
        return None
    now = timezone.now()
    try:
        with transaction.atomic():
            taken = FetchRun.objects.filter(pk=run_pk, state=FetchRun.State.QUEUED).update(
                state=FetchRun.State.RUNNING,
                fence=F("fence") + 1,
                worker=worker[:200],
                stage="Starting",
                started_at=now,
                heartbeat_at=now,
            )
    except IntegrityError:
        return None  # Another run of this project is under way; this one's turn comes when that ends.
    if taken != 1:
        return None
    run.refresh_from_db()
    return run


def _held_back(run: FetchRun) -> bool:
    """Remotes in trouble share one slot among them: they may hang, and the healthy ones must not wait for them."""
    if not run.project.in_trouble or run.trigger not in ("timer", "retry"):
        return False
    troubled = FetchRun.objects.filter(state=FetchRun.State.RUNNING, project__failures__gt=0)
    return troubled.exclude(project=run.project_id).exclude(project__error_code="").exists()


def fetch_beat(run: FetchRun, stage: str | None = None) -> bool:
    """A sign of life, and what is being done now. False when the run is no longer this worker's."""
    changes: dict[str, Any] = {"heartbeat_at": timezone.now()}
    if stage is not None:
        changes["stage"] = stage[:40]
    return bool(_held(run).update(**changes))


def _held(run: FetchRun) -> Any:
    return FetchRun.objects.filter(pk=run.pk, fence=run.fence, state=FetchRun.State.RUNNING)


@contextmanager
def fetch_held(run: FetchRun) -> Iterator[Project]:
    """A transaction in which this worker surely holds the run; yields the project, locked. Raises `FetchLost`."""
    with transaction.atomic():
        if not _held(run).select_for_update().exists():
            raise FetchLost(f"run {run.pk} is no longer held with fence {run.fence}")
        yield Project.objects.select_for_update().get(pk=run.project_id)


def fetch_finish(run: FetchRun, *, refs_changed: int = 0, verdicts_changed: int = 0) -> None:
    """All recorded: the project is well and its next look is due in its own rhythm."""
    now = timezone.now()
    with fetch_held(run) as project:
        _held(run).update(
            state=FetchRun.State.DONE,
            finished_at=now,
            heartbeat_at=now,
            stage="",
            refs_changed=refs_changed,
            verdicts_changed=verdicts_changed,
        )
        if project.failures or project.error_code:
            event_write(
                "fetch.recovered",
                project_id=project.pk,
                old=project.error_code,
                why="The repository can be read again.",
                actor_name="worker",
            )
        Project.objects.filter(pk=project.pk).update(
            failures=0,
            error_code="",
            error_text="",
            error_since=None,
            next_fetch_at=now + timedelta(seconds=_spread(project.fetch_every, 0.1)),
        )
        _forget_old(project, run)


def fetch_fail(run: FetchRun, code: str, sentence: str, *, detail: str = "", back_off: bool = True) -> None:
    """It did not work: keep the last verdicts, say why, and try again later, more and more patiently.

    `back_off` is False when the remote is well and something else is wrong (a policy that names no branch).
    """
    now = timezone.now()
    with fetch_held(run) as project:
        _held(run).update(
            state=FetchRun.State.FAILED,
            finished_at=now,
            heartbeat_at=now,
            stage="",
            error_code=code[:32],
            error_text=sentence,
        )
        _project_failed(project, code, sentence, now, detail=detail, back_off=back_off)
        _forget_old(project, run)


def _project_failed(
    project: Project, code: str, sentence: str, now: datetime, *, detail: str = "", back_off: bool = True
) -> None:
    if project.error_code != code:
        event_write(
            "fetch.failed",
            project_id=project.pk,
            actor_name="worker",
            old=project.error_code,
            new=code,
            why=sentence,
            evidence={"detail": detail} if detail else {},
        )
    failures = project.failures + 1 if back_off else 0
    pause = retry_pause(project.fetch_every, failures) if back_off else _spread(project.fetch_every, 0.1)
    Project.objects.filter(pk=project.pk).update(
        failures=failures,
        error_code=code[:32],
        error_text=sentence,
        error_since=project.error_since or now,
        next_fetch_at=now + timedelta(seconds=pause),
    )


def retry_pause(every: int, failures: int) -> float:
    """Seconds until a remote that failed `failures` times in a row is tried again: doubling, capped, spread."""
    doubled = max(every, 5) * 2.0 ** min(failures, 12)
    return max(_spread(min(doubled, SLOWEST_RETRY), 0.2), float(every))


def _spread(seconds: float, share: float) -> float:
    """So that what failed together does not come back together."""
    return seconds * random.uniform(1 - share, 1.0)  # noqa: S311 - not a secret


def _forget_old(project: Project, run: FetchRun) -> None:
    """Keep the list of finished runs short; now and then is enough."""
    if run.pk % 20 == 0:
        ended = FetchRun.objects.filter(project=project, finished_at__isnull=False)
        oldest = list(ended.order_by("-pk").values_list("pk", flat=True)[KEPT_RUNS : KEPT_RUNS + 1])
        if oldest:
            ended.filter(pk__lte=oldest[0]).delete()


def fetches_lost(now: datetime | None = None) -> list[FetchRun]:
    """Name the runs whose worker gave no sign of life, and queue another for each; returns the lost ones.

    A worker of this very machine that runs no more is found at once, without waiting for its silence.
    """
    now = now or timezone.now()
    running = FetchRun.objects.filter(state=FetchRun.State.RUNNING).select_related("project")
    return [run for run in running if silent(run, now) and fetch_lost(run, now)]


def fetch_lost(run: FetchRun, now: datetime | None = None) -> bool:
    """Declare one running fetch lost, unless it gave a sign of life meanwhile."""
    now = now or timezone.now()
    sentence = "The worker that fetched this stopped without finishing; it is done again."
    with transaction.atomic():
        changed = _held(run).filter(heartbeat_at=run.heartbeat_at).update(
            state=FetchRun.State.LOST, finished_at=now, stage="", error_code="worker-lost", error_text=sentence
        )  # fmt: skip
        if not changed:
            return False
        project = Project.objects.select_for_update().get(pk=run.project_id)
        event_write(
            "fetch.lost",
            project_id=project.pk,
            actor_name="sweep",
            subject=f"run:{run.pk}",
            why=sentence,
            evidence={"worker": run.worker, "stage": run.stage},
            key=f"fetch.lost:{run.pk}:{run.fence}",
        )
        if project.failures + 1 >= LOST_BEFORE_PAUSE:
            _project_failed(project, "worker-lost", sentence, now)
        else:
            Project.objects.filter(pk=project.pk).update(failures=F("failures") + 1)
            fetch_request(project, "retry")
    return True


def fetches_due(now: datetime | None = None, limit: int = 500) -> int:
    """Queue a fetch for every project whose timer is due and that has none under way; returns how many."""
    now = now or timezone.now()
    busy = FetchRun.objects.filter(state__in=[FetchRun.State.QUEUED, FetchRun.State.RUNNING]).values("project_id")
    due = Project.objects.filter(Q(next_fetch_at__lte=now) | Q(next_fetch_at__isnull=True)).exclude(pk__in=busy)
    pks = list(due.order_by("next_fetch_at").values_list("pk", flat=True)[:limit])
    # Two sweeps at once: the constraint lets only one row per project through.
    FetchRun.objects.bulk_create([FetchRun(project_id=pk, trigger="timer") for pk in pks], ignore_conflicts=True)
    return len(pks)


def fetches_to_nudge(now: datetime | None = None, limit: int = 500) -> list[int]:
    """Queued runs whose project is free and for which no task is known to be on its way; marks them as nudged."""
    now = now or timezone.now()
    running = FetchRun.objects.filter(state=FetchRun.State.RUNNING).values("project_id")
    waiting = FetchRun.objects.filter(state=FetchRun.State.QUEUED).exclude(project_id__in=running)
    stale = waiting.filter(Q(nudged_at__isnull=True) | Q(nudged_at__lt=now - NUDGE_AGAIN))
    pks = list(stale.order_by("pk").values_list("pk", flat=True)[:limit])
    if pks:
        FetchRun.objects.filter(pk__in=pks, state=FetchRun.State.QUEUED).update(nudged_at=now)
    return pks


def fetch_nudged(run_pk: int) -> None:
    """A task was sent for it: the sweep need not send another for a while."""
    FetchRun.objects.filter(pk=run_pk, state=FetchRun.State.QUEUED).update(nudged_at=timezone.now())


def fetch_next(project_pk: int) -> int | None:
    """The run that waited for the one that just ended, if any."""
    waiting = FetchRun.objects.filter(project_id=project_pk, state=FetchRun.State.QUEUED)
    return waiting.values_list("pk", flat=True).first()


class Heartbeat(Beats):
    """Signs of life of one run, and what it does now."""

    def __init__(self, run: FetchRun, every: float = BEAT_EVERY) -> None:
        super().__init__(lambda: fetch_beat(run), f"heartbeat-{run.pk}", every)
        self.run = run

    def stage(self, name: str) -> None:
        """Say what comes now; raises `FetchLost` when somebody else has the run."""
        if self.lost.is_set() or not fetch_beat(self.run, name):
            raise FetchLost(f"run {self.run.pk} was taken away before: {name}")
