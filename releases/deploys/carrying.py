"""Carrying out one run: claim, then step after step; a worker may be killed between any two lines.

What is done is written down before the next begins, so that nobody does it again; what was cut off is for a person to
decide, because nobody knows how far a command came. See docs/decisions/0009.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar

from django.db import DatabaseError, InterfaceError, OperationalError, connection, transaction
from django.utils import timezone

from releases.git.errors import GitError
from releases.projects.secrets import SecretUnreadable
from releases.projects.services.leases import Beats

from .acting import answer_take
from .digests import DigestDiffers, taken_over
from .errors import RunLost
from .models import Run, Step
from .moving import (
    run_aborted,
    run_beat,
    run_claim,
    run_fail,
    run_pause,
    run_stop_reason,
    run_succeed,
    step_begin,
    step_end,
)
from .probing import probe_lives
from .retention import restored
from .runner.errors import ArtifactRefused
from .runner.execution import Ended
from .runner.marks import orphans_end
from .settings_services import SecretMissing
from .spec import Answer, StepKind, StepSpec
from .stepping import NOT_CARRIED_OUT, marker_of, refused, step_carry_out, token_new

log = logging.getLogger(__name__)

T = TypeVar("T")
WRITE_TRIES, WRITE_AGAIN = 15, 1.0
"""So often, with so many seconds between, the end of something is written down before it is given up."""
BROKEN = "Something went wrong here, not in the command. The worker's log has the details."


def run_carry_out(run_pk: int, worker: str) -> Run | None:
    """Carry out one run that is ready. Returns it as it stands then, or None when somebody else has it or will."""
    run = run_claim(run_pk, worker)
    if run is None:
        return None
    try:
        with Beats(lambda: run_beat(run), f"heartbeat-run-{run.pk}") as beats:
            _carry_out(run, beats)
    except RunLost as lost:
        log.warning("run given up: %s", lost)
    return Run.objects.filter(pk=run_pk).select_related("project", "environment").first()


def run_alive(marker: str) -> bool:
    """Whether the attempt that carries this marker is held by a worker now, or it is a probe that is being asked."""
    if probe_lives(marker):
        return True
    run_pk, _, fence = marker.partition(":")
    if not run_pk.isdecimal() or not fence.isdecimal():
        return False
    return Run.objects.filter(pk=int(run_pk), fence=int(fence), state=Run.State.RUNNING).exists()


def _written(write: Callable[[], T]) -> T:
    """What has really happened must not be lost because the database was away or busy for a moment."""
    for turn in range(1, WRITE_TRIES):
        try:
            return write()
        except (OperationalError, InterfaceError) as error:
            log.warning("not written yet, tried again (%s): %s", turn, error)
            connection.close()
            time.sleep(WRITE_AGAIN)
    return write()


def _carry_out(run: Run, beats: Beats) -> None:
    """All steps that are not done; what goes wrong is written down as a sentence."""
    try:
        if run.fence > 1:
            # Of an attempt that was given up nothing may still be at work when the next one begins.
            orphans_end(lambda marker: not marker.startswith(f"{run.pk}:") or marker == marker_of(run))
        for step in run.steps.exclude(state__in=(Step.State.DONE, Step.State.SKIPPED)).order_by("index"):
            if not _step(run, step, _asker(run, beats)):
                return
        _written(lambda: run_succeed(run))
        if run.kind == Run.Kind.BUILD:
            _written(lambda: restored(run.pk))
    except (RunLost, DatabaseError):
        raise
    except Exception:
        log.exception("run %s failed", run.pk)
        run_fail(run, "failed", BROKEN)


def _asker(run: Run, beats: Beats) -> Callable[[], str]:
    """What a command is asked about while it runs: is it still wanted?"""

    def stop() -> str:
        if beats.lost.is_set():
            return "lost"
        try:
            return run_stop_reason(run)
        except DatabaseError:
            # Away or busy for a moment. Nobody could have asked for anything either.
            connection.close()
            return ""

    return stop


def _step(run: Run, step: Step, stop: Callable[[], str]) -> bool:
    """One step, tried as often as it may be; False when the run does not go on here now."""
    spec = StepSpec.from_data(step.spec)
    if reason := stop():
        return _given_up(run, reason)
    if spec.kind is StepKind.MANUAL:
        run_pause(run, step, started_at=timezone.now())
        return False
    for turn in range(spec.retries + 1):
        token, digest = token_new(spec)
        step_begin(run, step, answer_digest=digest, answer_by=None)
        ended = _tried(run, step, spec, stop, token)
        if ended.how in ("aborted", "lost"):
            return _cut_off(run, step, ended)
        if ended.how == "exited" and ended.code == 0:
            return _went_well(run, step, spec, ended)
        if turn == spec.retries or ended.how == NOT_CARRIED_OUT:
            break
    why = ended.why or "Its command failed."
    _written(lambda: _failed(run, step, ended, why, "step", f"“{step.name}” failed: {why}"))
    return False


def _tried(run: Run, step: Step, spec: StepSpec, stop: Callable[[], str], token: str) -> Ended:
    """One attempt; what keeps it from being carried out at all is its end, too."""
    try:
        return step_carry_out(run, step, spec, stop, token)
    except (SecretMissing, SecretUnreadable) as error:
        return refused(str(error))
    except GitError as error:
        return refused(error.sentence)
    except ArtifactRefused as error:
        return refused(error.sentence)
    except (RunLost, DatabaseError):
        raise
    except OSError as error:
        log.exception("step %s of run %s could not be carried out", step.index, run.pk)
        return refused(f"It could not be carried out on this machine: {error.strerror or error}.")
    except Exception:
        log.exception("step %s of run %s broke off", step.index, run.pk)
        return refused(BROKEN)


def _given_up(run: Run, reason: str) -> bool:
    if reason == "lost":
        raise RunLost(f"run {run.pk} was taken away between two steps")
    run_aborted(run)
    return False


def _cut_off(run: Run, step: Step, ended: Ended) -> bool:
    if ended.how == "lost":
        raise RunLost(f"run {run.pk} was taken away in the middle of step {step.index}")
    with transaction.atomic():
        step_end(run, step, Step.State.FAILED, **_facts_of(ended), why=ended.why or "Aborted.")
        run_aborted(run)
    return False


def _went_well(run: Run, step: Step, spec: StepSpec, ended: Ended) -> bool:
    if spec.answer is Answer.CALLBACK:
        _written(lambda: _waits(run, step, spec, ended))
        return False
    try:
        changes = taken_over(run, ended.facts)
    except DigestDiffers as differs:
        why = str(differs)
        _written(lambda: _failed(run, step, ended, why, "digest", why))
        return False
    _written(lambda: step_end(run, step, Step.State.DONE, run_changes=changes, **_facts_of(ended), why=""))
    return True


def _waits(run: Run, step: Step, spec: StepSpec, ended: Ended) -> None:
    """The command has started something elsewhere; the worker is free until the answer comes, or goes on with it."""
    until = timezone.now() + timedelta(seconds=spec.timeout)
    with transaction.atomic():
        if run_pause(run, step, answer_by=until, **_facts_of(ended)):
            told = Step.objects.values_list("answer", flat=True).get(pk=step.pk)
            if told is not None:
                step.refresh_from_db()
                answer_take(run, step, told)


def _failed(run: Run, step: Step, ended: Ended, why: str, code: str, sentence: str) -> None:
    with transaction.atomic():
        step_end(run, step, Step.State.FAILED, **_facts_of(ended), why=why)
        run_fail(run, code, sentence)


def _facts_of(ended: Ended) -> dict[str, Any]:
    how = "" if ended.how == NOT_CARRIED_OUT else ended.how
    return {"ended": how, "exit_code": ended.code, "signal": ended.signal, "facts": ended.facts}
