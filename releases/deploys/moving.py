"""How a run goes from state to state: the writes of the worker that holds it, and what the sweep finds.

Every step is an UPDATE filtered on the state and the fence that it leaves: not exactly one row changed means that
somebody else has it. What happened is told in the ledger in the same transaction.

Ledger kinds: run.started, run.paused, run.live, run.verified, run.done, run.failed, run.aborted, run.lost.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Exists, F, OuterRef, Q
from django.db.models.functions import Coalesce
from django.utils import timezone

from releases.operations.services import storable
from releases.projects.services.leases import NUDGE_AGAIN, silent

from .binding import changed
from .errors import RunLost
from .following import follow, running_keep, tell
from .gates import holds, queue_of
from .models import Environment, Run, Step
from .models.runs import HOLDING
from .requesting import void
from .selectors import RELATED

State = Run.State
_ABORTED = "Aborted by {who} while it ran; its commands were ended."


def ready() -> Q:
    """Runs that a worker may take: queued ones, and paused ones whose question was answered."""
    waits = Step.objects.filter(run=OuterRef("pk"), state=Step.State.WAITING)
    return Q(state=State.QUEUED) | Q(~Exists(waits), state=State.PAUSED)


def run_is_ready(run: Run) -> bool:
    """Whether a worker may take it, as far as the run itself goes."""
    return Run.objects.filter(ready(), pk=run.pk).exists()


# --- what the worker that holds it writes -------------------------------------------------------------------------


def run_claim(run_pk: int, worker: str) -> Run | None:
    """Take a run that is ready; None when it is taken, over, or has to wait for its environment."""
    now = timezone.now()
    try:
        with transaction.atomic():
            run = Run.objects.filter(ready(), pk=run_pk).select_related(*RELATED).first()
            if run is None or not _its_turn(run, now):
                return None
            fresh = run.started_at is None
            taken = Run.objects.filter(ready(), pk=run_pk, state=run.state, fence=run.fence).update(
                state=State.RUNNING, fence=F("fence") + 1, attempts=F("attempts") + 1, worker=worker[:200],
                started_at=Coalesce("started_at", now), heartbeat_at=now, error_code="", error_text="",
                replaces=run.replaces_id or (run.environment.live_id if run.environment else None),
            )  # fmt: skip
            if taken != 1:
                return None
            claimed = Run.objects.select_related(*RELATED).get(pk=run_pk)
            if fresh:
                tell(claimed, "run.started", f"{claimed.tag} is begun.", by="worker", old=run.state)
            follow(claimed)
    except IntegrityError:
        return None  # Another one holds the environment; this one's turn comes when that ends.
    return claimed


def _its_turn(run: Run, now: datetime) -> bool:
    """Whether nothing holds it back; asked while the environment's row is held, so that two do not pass at once."""
    if run.environment_id is None or run.state == State.PAUSED:
        return True
    run.environment = Environment.objects.select_for_update().get(pk=run.environment_id)
    if reasons := changed(run):
        void(run, " ".join(reasons))
        return False
    return not holds(run, now)


def run_beat(run: Run) -> bool:
    """A sign of life; False when the run is no longer this worker's."""
    return bool(_held(run).update(heartbeat_at=timezone.now()))


def run_stop_reason(run: Run) -> str:
    """Why its command must end now: `aborted`, `lost`, or empty while it may go on."""
    row = Run.objects.filter(pk=run.pk).values("state", "fence", "abort_asked_at").first()
    if row is None or row["state"] != State.RUNNING or row["fence"] != run.fence:
        return "lost"
    return "aborted" if row["abort_asked_at"] else ""


def step_begin(run: Run, step: Step, **changes: Any) -> None:
    """Say that a step runs, before it does. Raises `RunLost`."""
    now = timezone.now()
    with transaction.atomic():
        _write(run)
        line = Run.objects.values_list("log_lines", flat=True).get(pk=run.pk) + 1
        begun = Step.objects.filter(pk=step.pk, state__in=(Step.State.TODO, Step.State.RUNNING)).update(
            state=Step.State.RUNNING, attempts=F("attempts") + 1, fence=run.fence, started_at=now, finished_at=None,
            ended="", exit_code=None, signal=None, why="", by=None, facts={}, answer=None, first_line=line, **changes,
        )  # fmt: skip
        if begun != 1:
            raise RunLost(f"step {step.index} of run {run.pk} is {step.state} already")
        follow(run)
    step.refresh_from_db()


def step_end(run: Run, step: Step, state: str, *, run_changes: dict[str, Any] | None = None, **changes: Any) -> None:
    """Say how a step ended, and what it brought for the run. Raises `RunLost`."""
    with transaction.atomic():
        _write(run, **(run_changes or {}))
        mine = Step.objects.filter(pk=step.pk, fence=run.fence)
        ended = mine.filter(state=Step.State.RUNNING)
        if ended.update(state=state, finished_at=timezone.now(), **storable(changes)) != 1:
            if mine.filter(state=state).exists():
                return  # Written already; only the database's answer to that was lost.
            raise RunLost(f"step {step.index} of run {run.pk} is no longer this worker's")
        live_if_deployed(run)
        follow(run)
    step.refresh_from_db()


def live_if_deployed(run: Run) -> None:
    """When its last deploy step is done, this is what runs there now; in the transaction that ended the step."""
    if run.environment is None or run.live_at is not None:
        return
    deploying = [step.state for step in run.steps.all() if step.kind in ("deploy", "rollback")]
    if not deploying or any(state not in (Step.State.DONE, Step.State.SKIPPED) for state in deploying):
        return
    now = timezone.now()
    Run.objects.filter(pk=run.pk, live_at=None).update(live_at=now)
    Environment.objects.filter(pk=run.environment.pk).update(
        live=run.pk, live_since=now, drift_since=None, bad_probes=0, next_probe_at=now
    )
    evidence = {"replaces": run.environment.live_id}
    run.live_at = run.environment.live_since = now
    run.environment.live_id = run.pk
    running_keep(run.project_id)
    _watched_no_more(run)
    tell(run, "run.live", f"{run.tag} is live in {run.environment.name}.", by="worker", evidence=evidence)


def run_pause(run: Run, step: Step, **changes: Any) -> bool:
    """Wait for a person or for a callback, without a worker; False when it was aborted instead. Raises `RunLost`."""
    with transaction.atomic():
        if not _let_go(run, State.PAUSED, worker="", heartbeat_at=None):
            return False
        Step.objects.filter(pk=step.pk).update(state=Step.State.WAITING, **changes)
        tell(run, "run.paused", f"“{step.name}” waits for an answer.", by="worker", old=State.RUNNING)
        follow(run)
    return True


def run_succeed(run: Run) -> None:
    """Every step is done: a build is good, a deployment is watched, or good when there is nothing to watch it with.

    Raises `RunLost`.
    """
    now = timezone.now()
    place = run.environment
    with transaction.atomic():
        if place is not None and place.probe and place.watch_seconds:
            until = now + timedelta(seconds=place.watch_seconds)
            if _let_go(run, State.WATCHING, finished_at=now, watch_until=until, heartbeat_at=None):
                follow(run)
            return
        looked = any(step.kind == "verify" for step in run.steps.all())
        verified = now if place is not None and looked else None
        if _let_go(run, State.DONE, finished_at=now, verified_at=verified, heartbeat_at=None):
            _tell_good(run, verified is not None)


def run_fail(run: Run, code: str, sentence: str) -> None:
    """A step failed: say why. Raises `RunLost`."""
    sentence = storable(sentence)
    with transaction.atomic():
        _write(
            run, state=State.FAILED, error_code=code[:32], error_text=sentence, finished_at=timezone.now(),
            heartbeat_at=None,
        )  # fmt: skip
        tell(run, "run.failed", sentence, by="worker", old=State.RUNNING, evidence={"code": code})
        follow(run)


def run_aborted(run: Run) -> None:
    """Its commands were ended, because somebody asked for it. Raises `RunLost`."""
    run.refresh_from_db(fields=["abort_by", "abort_asked_at"])
    sentence = _ABORTED.format(who=run.abort_by.get_username() if run.abort_by else "the operator")
    with transaction.atomic():
        _write(
            run, state=State.ABORTED, error_code="aborted", error_text=sentence, finished_at=timezone.now(),
            heartbeat_at=None,
        )  # fmt: skip
        tell(run, "run.aborted", sentence, actor=run.abort_by, by="worker", old=State.RUNNING)
        follow(run)


# --- what the watch, the sweep and others find --------------------------------------------------------------------


def run_verified(run: Run, why: str = "") -> bool:
    """The watch is over, and it stayed well: live and verified. False when it is not watched any more."""
    now = timezone.now()
    with transaction.atomic():
        watched = Run.objects.filter(pk=run.pk, state=State.WATCHING)
        if watched.update(state=State.DONE, verified_at=now) != 1:
            return False
        run.state, run.verified_at = State.DONE, now
        _tell_good(run, True, why)
    return True


def run_unwatched(run: Run, why: str = "Nothing was there to watch it with.") -> bool:
    """The watch is over, and nobody could say whether it stayed well: done, but not verified."""
    with transaction.atomic():
        watched = Run.objects.filter(pk=run.pk, state=State.WATCHING)
        if watched.update(state=State.DONE, error_text=why) != 1:
            return False
        run.state, run.error_text = State.DONE, why
        tell(run, "run.done", why, by="sweep", old=State.WATCHING)
        follow(run)
    return True


def run_unwell(run: Run, why: str) -> bool:
    """The watch found it unwell: it failed. False when it is not watched any more, or something else came."""
    with transaction.atomic():
        held = Run.objects.filter(environment=OuterRef("environment"), state__in=HOLDING)
        watched = Run.objects.filter(~Exists(held), pk=run.pk, state=State.WATCHING, environment__live=run.pk)
        if watched.update(state=State.FAILED, error_code="unwell", error_text=why) != 1:
            return False
        run.state, run.error_code, run.error_text = State.FAILED, "unwell", why
        tell(run, "run.failed", why, by="sweep", old=State.WATCHING, evidence={"code": "unwell"})
        follow(run)
    return True


def runs_lost(now: datetime | None = None) -> list[Run]:
    """Name the runs whose workers died; nothing goes on by itself, because nobody knows how far a command came."""
    now = now or timezone.now()
    running = Run.objects.filter(state=State.RUNNING).select_related(*RELATED)
    return [run for run in running if silent(run, now) and run_lost(run)]


def run_lost(run: Run) -> bool:
    """Take one from its worker, unless that gave a sign of life meanwhile."""
    now = timezone.now()
    step = run.steps.filter(state=Step.State.RUNNING).first()
    at = f"in the middle of “{step.name}”" if step else "between two steps"
    sentence = f"The worker stopped {at}. How far it came is not known here."
    changes: dict[str, Any] = {"state": State.LOST}
    if run.abort_asked_at:
        sentence = f"It was aborted, and its worker stopped {at}."
        changes = {"state": State.ABORTED, "finished_at": now}
    with transaction.atomic():
        taken = _held(run).filter(heartbeat_at=run.heartbeat_at, abort_asked_at=run.abort_asked_at)
        if taken.update(error_code="worker-lost", error_text=sentence, **changes) != 1:
            return False
        cut = Step.objects.filter(run=run.pk, state=Step.State.RUNNING)
        cut.update(state=Step.State.FAILED, ended="lost", finished_at=now, why="Its worker stopped.")
        run.state, run.error_code, run.error_text = changes["state"], "worker-lost", sentence
        kind = "run.aborted" if run.abort_asked_at else "run.lost"
        evidence = {"worker": run.worker, "step": step.name if step else ""}
        tell(run, kind, sentence, by="sweep", old=State.RUNNING, evidence=evidence, key=f"{kind}:{run.pk}:{run.fence}")
        follow(run)
    return True


def runs_to_nudge(now: datetime | None = None, limit: int = 500) -> list[int]:
    """Runs that could begin or go on now and for which no task is known to be on its way; marks them."""
    now = now or timezone.now()
    stale = Q(nudged_at__isnull=True) | Q(nudged_at__lt=now - NUDGE_AGAIN)
    waiting = Run.objects.filter(ready(), stale).select_related(*RELATED).order_by("pk")[:limit]
    pks = [run.pk for run in waiting if run.environment_id is None or run.state == State.PAUSED or not holds(run, now)]
    if pks:
        Run.objects.filter(pk__in=pks).update(nudged_at=now)
    return pks


def run_nudged(run_pk: int) -> None:
    """A task was sent for it: the sweep need not send another for a while."""
    Run.objects.filter(ready(), pk=run_pk).update(nudged_at=timezone.now())


def run_next(environment: Environment, now: datetime | None = None) -> int | None:
    """The run that may begin in this environment now, if any."""
    now = now or timezone.now()
    return next((run.pk for run in queue_of(environment) if not holds(run, now)), None)


# --- shared -------------------------------------------------------------------------------------------------------


def _held(run: Run) -> Any:
    return Run.objects.filter(pk=run.pk, fence=run.fence, state=State.RUNNING)


def _write(run: Run, **changes: Any) -> None:
    """Change the row, if this worker still holds it, and the object alike."""
    if _held(run).update(**({"heartbeat_at": timezone.now()} | changes)) != 1:
        raise RunLost(f"run {run.pk} is no longer held with fence {run.fence}")
    for name, value in changes.items():
        setattr(run, name, value)


def _let_go(run: Run, state: str, **changes: Any) -> bool:
    """Leave RUNNING for a state that is no end by force; whoever asked to abort before gets that instead: False."""
    if _held(run).filter(abort_asked_at=None).update(state=state, **changes) == 1:
        for name, value in (changes | {"state": state}).items():
            setattr(run, name, value)
        return True
    run_aborted(run)
    return False


def _watched_no_more(run: Run) -> None:
    """What was still being watched there is not any more: this one took its place."""
    why = f"{run.tag} followed before the watch was over."
    for other in Run.objects.filter(environment=run.environment_id, state=State.WATCHING).exclude(pk=run.pk):
        other.state, other.error_text = State.DONE, why
        Run.objects.filter(pk=other.pk, state=State.WATCHING).update(
            state=State.DONE, error_text=why, followed_at=timezone.now()
        )
        tell(other, "run.done", why, by="worker", old=State.WATCHING)
        follow(other)


def _tell_good(run: Run, verified: bool, why: str = "") -> None:
    """The end of a run that went well: one row, `live and verified` where somebody looked."""
    if run.environment is None:
        tell(run, "run.done", f"{run.tag} is built{f': {run.digest}' if run.digest else '.'}", by="worker")
    elif verified:
        words = why or f"{run.tag} is live and verified in {run.environment.name}."
        tell(run, "run.verified", words, by="worker", key=f"run.verified:{run.pk}:{run.fence}")
    else:
        tell(
            run,
            "run.done",
            f"{run.tag} is live in {run.environment.name}; nothing was asked to verify it.",
            by="worker",
        )
    follow(run)
