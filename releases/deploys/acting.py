"""What people, and callbacks, do with a run: confirm, answer, abort, give up, try again, take back, order the queue.

Every act is an UPDATE filtered on the state that it was offered in; what cannot be done now is refused in a sentence.
Ledger kinds: run.confirmed, run.answered, run.abort-asked, run.aborted, run.abandoned, run.retried, run.cancelled,
run.moved, run.failed.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone

from releases.operations.services import storable

from .deciding import shown_keep_at_end
from .digests import DigestDiffers, taken_over
from .errors import DeployRefused
from .following import follow, tell
from .gates import queue_of
from .models import Environment, Run, Step
from .models.runs import WAITING
from .moving import live_if_deployed
from .selectors import RELATED, overtaken
from .spec import StepSpec

State = Run.State
UNHEARD_AFTER = timedelta(seconds=30)
"""A worker that does not heed an abort for so long is given up, if somebody says so."""
_ENDED = (State.FAILED, State.ABORTED)


def run_abort(run: Run, actor: Any = None) -> Run:
    """End it: what a worker does is killed within a second or two, what waits for an answer ends at once.

    Raises `DeployRefused`.
    """
    now = timezone.now()
    who = actor.get_username() if actor else "the operator"
    with transaction.atomic():
        mine = Run.objects.filter(pk=run.pk)
        if mine.filter(state=State.RUNNING, abort_asked_at=None).update(abort_asked_at=now, abort_by=actor):
            fresh = _again(run)
            tell(fresh, "run.abort-asked", f"{who} asked to abort it.", actor=actor, old=State.RUNNING)
            follow(fresh)
            return fresh
        said = {"error_code": "aborted", "error_text": f"Aborted by {who} while it waited for an answer."}
        ended = mine.filter(state=State.PAUSED).update(
            state=State.ABORTED, finished_at=now, abort_asked_at=now, abort_by=actor, **said
        )
        fresh = _again(run)
        if ended:
            _waiting_steps_end(fresh, "Aborted.")
            tell(fresh, "run.aborted", said["error_text"], actor=actor, old=State.PAUSED)
            follow(fresh)
            return fresh
    if fresh.state == State.RUNNING:
        return fresh  # It was asked for already.
    raise _refused(fresh, "aborted", "Only what runs can be aborted")


def run_abandon(run: Run, actor: Any = None, why: str = "") -> Run:
    """Give up a run whose worker was lost, and let its environment go. Raises `DeployRefused`.

    A worker that lives and does not heed an abort can be given up, too: it may write nothing more.
    """
    now = timezone.now()
    unheard = Q(state=State.RUNNING, abort_asked_at__lt=now - UNHEARD_AFTER)
    who = actor.get_username() if actor else "the operator"
    sentence = f"Given up by {who}{f': {why.strip()}' if why.strip() else '.'}"
    with transaction.atomic():
        changed = Run.objects.filter(Q(state=State.LOST) | unheard, pk=run.pk).update(
            state=State.ABANDONED, error_text=sentence, finished_at=now
        )
        fresh = _again(run)
        if changed:
            cut = Step.objects.filter(run=run.pk, state=Step.State.RUNNING)
            cut.update(state=Step.State.FAILED, ended="lost", finished_at=now, why="It was given up.")
            tell(fresh, "run.abandoned", sentence, actor=actor, old=run.state)
            follow(fresh)
    if not changed:
        raise _refused(fresh, "given up", "Only a run whose worker was lost can be given up")
    return fresh


def run_retry(run: Run, actor: Any = None) -> Run:
    """Go on from the step that failed or was cut off; what is done is not done again. Raises `DeployRefused`.

    A lost run keeps its environment and goes on as soon as a worker is free; one that ended queues for it again.
    """
    fresh = _again(run)
    if fresh.state == State.LOST:
        changes: dict[str, Any] = {"state": State.PAUSED}
    elif fresh.state in _ENDED:
        if overtaken(fresh):
            raise DeployRefused("overtaken", "Something else was begun there since; ask for this release anew.")
        changes = {"state": State.QUEUED, "queued_at": timezone.now(), "verified_at": None}
    else:
        raise _refused(fresh, "tried again", "Only what failed, was aborted or lost its worker can be tried again")
    try:
        with transaction.atomic():
            changed = Run.objects.filter(pk=run.pk, state=fresh.state, fence=fresh.fence).update(
                worker="", heartbeat_at=None, nudged_at=None, abort_asked_at=None, abort_by=None, finished_at=None,
                followed_at=None, watch_until=None, error_code="", error_text="", **changes,
            )  # fmt: skip
            if changed:
                Step.objects.filter(run=run.pk, state=Step.State.FAILED).update(state=Step.State.TODO)
                old, fresh = fresh.state, _again(run)
                tell(fresh, "run.retried", "Asked to go on from the step that did not end well.", actor=actor, old=old)
                follow(fresh)
    except IntegrityError:
        raise DeployRefused("asked", f"{run.tag} was asked for anew meanwhile; that one counts.") from None
    if not changed:
        raise _refused(_again(run), "tried again", "Somebody else was quicker")
    return fresh


def run_cancel(run: Run, actor: Any = None) -> Run:
    """Take back what waits and has not begun. Raises `DeployRefused`."""
    who = actor.get_username() if actor else "the operator"
    with transaction.atomic():
        changed = Run.objects.filter(pk=run.pk, state__in=WAITING).update(
            state=State.CANCELLED, error_code="cancelled", error_text=f"Taken back by {who}.",
            finished_at=timezone.now(),
        )  # fmt: skip
        fresh = _again(run)
        if changed:
            tell(fresh, "run.cancelled", fresh.error_text, actor=actor, old=run.state)
            shown_keep_at_end(fresh.pk)
            follow(fresh)
    if not changed:
        raise _refused(fresh, "taken back", "Only what waits can be taken back")
    return fresh


def run_confirm(run: Run, step: Step, note: str, actor: Any = None, *, passed: bool = True) -> Run:
    """A person says how a manual step went, with a note of what was tested. Raises `DeployRefused`."""
    if not note.strip():
        raise DeployRefused("no-note", "Say what was tested, and what came of it.")
    with transaction.atomic():
        fresh = _locked(run)
        now = Step.objects.filter(pk=step.pk, run=run.pk).first()
        if now is None or now.kind != "manual" or now.state != Step.State.WAITING or fresh.state != State.PAUSED:
            raise DeployRefused("not-waiting", "This step does not wait for an answer.")
        _answered(fresh, now, passed, {}, note.strip(), actor)
        word = "confirmed" if passed else "did not pass"
        tell(
            fresh, "run.confirmed", f"“{now.name}” {word}: {note.strip()}", actor=actor, old=State.PAUSED,
            evidence={"step": now.name, "passed": passed},
        )  # fmt: skip
        _go_on(fresh, now, passed, note.strip())
    return fresh


def run_answer(step: Step, passed: bool, facts: Mapping[str, str] | None = None, why: str = "") -> Run:
    """What a callback says of a step that was started elsewhere. Raises `DeployRefused`.

    One that comes while the command still runs is kept until the command has ended.
    """
    told = {"passed": passed, "facts": storable(dict(facts or {})), "why": storable(why.strip())}
    with transaction.atomic():
        fresh = _locked(step.run)
        now = Step.objects.get(pk=step.pk)
        told_before = now.answer is not None or now.answer_digest != step.answer_digest
        if StepSpec.from_data(now.spec).answer != "callback" or told_before:
            raise DeployRefused("not-waiting", "This step does not wait for an answer.")
        if now.state == Step.State.RUNNING and fresh.state == State.RUNNING:
            Step.objects.filter(pk=now.pk).update(answer=told)
        elif now.state == Step.State.WAITING and fresh.state == State.PAUSED:
            answer_take(fresh, now, told)
        else:
            raise DeployRefused("not-waiting", "This step does not wait for an answer.")
    return _again(step.run)


def answer_take(run: Run, step: Step, told: Mapping[str, Any]) -> None:
    """Let an answer count, for a run that is paused; in a transaction that holds the run's row."""
    passed, why = bool(told["passed"]), str(told["why"])
    try:
        changes = taken_over(run, told["facts"]) if passed else {}
    except DigestDiffers as differs:
        passed, why, changes = False, str(differs), {}
    if changes:
        Run.objects.filter(pk=run.pk).update(**changes)
        for name, value in changes.items():
            setattr(run, name, value)
    if not passed and step.attempts <= StepSpec.from_data(step.spec).retries:
        Step.objects.filter(pk=step.pk).update(state=Step.State.TODO, answer_digest="", answer_by=None)
    else:
        _answered(run, step, passed, told["facts"], why, None)
    words = "well" if passed else f"not well{f': {why}' if why else '.'}"
    tell(
        run, "run.answered", f"“{step.name}” ended {words}", by="webhook", old=State.PAUSED,
        evidence={"step": step.name, "passed": passed, "facts": dict(told["facts"])},
    )  # fmt: skip
    step.refresh_from_db()
    _go_on(run, step, step.state != Step.State.FAILED, why or "The answer was that it failed.")


def answers_overdue(now: datetime | None = None) -> list[Run]:
    """End the steps whose callback did not come in time."""
    now = now or timezone.now()
    late = Step.objects.filter(state=Step.State.WAITING, answer_by__lt=now, run__state=State.PAUSED)
    ended = []
    for step in late.select_related("run"):
        try:
            ended.append(run_answer(step, False, {}, "No answer came in time."))
        except DeployRefused:
            continue  # It came at this moment.
    return ended


def queue_move(run: Run, before: Run | None, actor: Any = None) -> list[Run]:
    """Put a queued run before another one of its queue, or at its end; gives the queue. Raises `DeployRefused`."""
    if run.environment is None:
        raise DeployRefused("no-queue", "Builds do not wait in a queue.")
    with transaction.atomic():
        environment = Environment.objects.select_for_update().get(pk=run.environment.pk)
        line = [other for other in queue_of(environment) if other.pk != run.pk]
        mine = next((other for other in queue_of(environment) if other.pk == run.pk), None)
        if mine is None:
            raise _refused(_again(run), "moved", "Only what is queued can be moved")
        place = next((n for n, other in enumerate(line) if before and other.pk == before.pk), len(line))
        line.insert(place, mine)
        least = min(other.rank for other in line) - 1
        for n, other in enumerate(line):
            Run.objects.filter(pk=other.pk, state=State.QUEUED).update(rank=least + n)
        where = f"before {before.tag}" if before else "to the end"
        tell(mine, "run.moved", f"Moved {where} of the queue of {environment.name}.", actor=actor, old=State.QUEUED)
        follow(mine)
    return queue_of(environment)


def make_way(environment: Environment, rollback: Run, actor: Any) -> None:
    """Let a rollback in: what holds the environment without a worker is given up, what runs is asked to stop."""
    for run in Run.objects.filter(environment=environment).exclude(pk=rollback.pk).select_related(*RELATED):
        if run.kind == Run.Kind.ROLLBACK and run.state in (State.RUNNING, State.PAUSED):
            continue
        if run.state == State.LOST:
            run_abandon(run, actor, f"{rollback.tag} is brought back.")
        elif run.state in (State.RUNNING, State.PAUSED):
            run_abort(run, actor)


# --- shared -------------------------------------------------------------------------------------------------------


def _answered(run: Run, step: Step, passed: bool, facts: Mapping[str, str], why: str, actor: Any) -> None:
    Step.objects.filter(pk=step.pk).update(
        state=Step.State.DONE if passed else Step.State.FAILED, finished_at=timezone.now(), ended="answered",
        facts=dict(facts), why=storable(why), by=actor,
    )  # fmt: skip


def _go_on(run: Run, step: Step, passed: bool, why: str) -> None:
    """After an answer: the next step as soon as a worker is free, or the end."""
    if passed:
        Run.objects.filter(pk=run.pk).update(nudged_at=None)
        live_if_deployed(run)
    else:
        sentence = f"“{step.name}” did not pass: {why}"
        Run.objects.filter(pk=run.pk, state=State.PAUSED).update(
            state=State.FAILED, error_code="step", error_text=sentence, finished_at=timezone.now()
        )
        run.state, run.error_code, run.error_text = State.FAILED, "step", sentence
        tell(run, "run.failed", sentence, by="worker", old=State.PAUSED, evidence={"code": "step"})
    follow(run)


def _waiting_steps_end(run: Run, why: str) -> None:
    Step.objects.filter(run=run.pk, state=Step.State.WAITING).update(
        state=Step.State.FAILED, ended="aborted", finished_at=timezone.now(), why=why
    )


def _locked(run: Run) -> Run:
    Run.objects.select_for_update().get(pk=run.pk)
    return _again(run)


def _again(run: Run) -> Run:
    return Run.objects.select_related(*RELATED).get(pk=run.pk)


def _refused(run: Run, what: str, rule: str) -> DeployRefused:
    return DeployRefused("state", f"This cannot be {what}: it is {run.get_state_display().lower()}. {rule}.")
