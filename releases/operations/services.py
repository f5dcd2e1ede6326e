"""The journal of changes to remotes. A row is the truth about who does what and how far it came; tasks only nudge.

queued → running → done, conflict or failed; a lost worker's operation and one that is asked to try again go back to
queued. Every step is an UPDATE filtered on the state and the fence that it leaves: not exactly one row changed means
that somebody else has it. What is done is told once, in the ledger, in the same transaction.

Ledger kinds: operation.done, operation.conflict, operation.failed, operation.lost, operation.retried,
operation.cancelled; each with the operation's own subject.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils import timezone

from releases import live
from releases.ledger.services import event_write
from releases.projects.models import Project, Ref
from releases.projects.services import fetch_request
from releases.projects.services.leases import NUDGE_AGAIN, silent

from .models import Operation
from .plan import Conflicted, Nothing, Plan

ACTIVE = (Operation.State.QUEUED, Operation.State.RUNNING)
MOST_ATTEMPTS = 6
"""So many workers lost in a row, and it is no longer begun again: it may be what kills them."""
_UNFIT = re.compile(r"[<>\x00-\x1f\x7f]+")
"""What git does not take, or takes for something else, in the name and address of an author."""
_NOBODY = ("Hotfixdash", "hotfixdash@hotfixdash.invalid")
"""Author of what nobody in person asked for; nobody can own an address below .invalid."""
_PERHAPS = "Whether it happened there is not known; trying again looks first, and does nothing twice."


class OperationLost(Exception):
    """This worker no longer holds the operation; it must write nothing more, here or on the remote."""


class OperationRefused(Exception):
    """A person asked for what cannot be done with this operation now; the message is a sentence for them."""


# --- what people ask for ------------------------------------------------------------------------------------------


def operation_request(
    project: Project, kind: str, key: str, *, subject: str, params: dict[str, Any], actor: Any = None
) -> tuple[Operation, bool]:
    """Ask for a change of the remote; gives the operation and whether it was newly made.

    Whoever asks for the same `key` while it waits or runs gets the one that stands. The caller nudges a task on commit.
    """
    name, email = author_of(actor)
    while True:
        standing = Operation.objects.filter(project=project, key=key, state__in=ACTIVE).first()
        if standing is not None:
            return standing, False
        try:
            with transaction.atomic():
                made = Operation.objects.create(
                    project=project, kind=Operation.Kind(kind), key=key, subject=subject, params=storable(params),
                    actor=actor, actor_name=name, actor_email=email,
                )  # fmt: skip
        except IntegrityError:
            continue  # Somebody asked at the same moment; theirs stands now, unless it is over already.
        _publish(made)
        return made, True


def author_of(actor: Any) -> tuple[str, str]:
    """Name and address as they stand in commits and tags."""
    if actor is None:
        return _NOBODY
    name = _plain(actor.get_full_name()) or _plain(actor.get_username())
    email = _UNFIT.sub("", actor.email).strip() or f"{re.sub(r'[^A-Za-z0-9._+-]+', '-', name)}@hotfixdash.invalid"
    return (name or _NOBODY[0])[:150], email[:254]


def _plain(name: str) -> str:
    return " ".join(_UNFIT.sub(" ", name).split())


def operation_retry(operation: Operation, actor: Any = None) -> Operation:
    """Let it try again; gives the operation that is active now. Raises `OperationRefused`.

    What a push may have left on the remote is looked at first; otherwise it is planned from the facts of then.
    """
    fresh: dict[str, Any] = {}
    if operation.step == Operation.Step.NONE:
        fresh = {"asked_at": timezone.now(), "plan": None}
    again = Q(state=Operation.State.CONFLICT) | Q(state=Operation.State.FAILED, retryable=True)
    try:
        with transaction.atomic():
            row = Operation.objects.filter(again, ~Exists(newer_ones()), pk=operation.pk, step=operation.step)
            changed = row.update(
                state=Operation.State.QUEUED, attempts=0, replans=0, error_code="", error_text="", retryable=False,
                outcome={}, nudged_at=None, worker="", finished_at=None, **fresh,
            )  # fmt: skip
            if changed:
                _tell(operation, "operation.retried", "Asked to try again.", actor=actor, old=operation.state)
    except IntegrityError:
        changed = 0  # The same was asked for anew meanwhile.
    standing = Operation.objects.filter(project=operation.project_id, key=operation.key, state__in=ACTIVE).first()
    if standing is None:
        operation.refresh_from_db()
        if Operation.objects.filter(pk=operation.pk).filter(Exists(newer_ones())).exists():
            raise OperationRefused("The same was asked for anew since; that one counts.")
        if operation.state == Operation.State.FAILED:
            raise OperationRefused(f"This cannot be tried again: it would end the same way. {operation.error_text}")
        raise OperationRefused(f"This cannot be tried again: it is {operation.get_state_display().lower()}.")
    _publish(standing)
    return standing


def operation_cancel(operation: Operation, actor: Any = None) -> None:
    """Take back what has not begun. Raises `OperationRefused`."""
    name = author_of(actor)[0] if actor else "the operator"
    sentence = f"Cancelled by {name} before it began; nothing happened."
    with transaction.atomic():
        waiting = Operation.objects.filter(pk=operation.pk, state=Operation.State.QUEUED, step=Operation.Step.NONE)
        changed = waiting.update(
            state=Operation.State.FAILED, error_code="cancelled", error_text=sentence, retryable=True,
            finished_at=timezone.now(),
        )  # fmt: skip
        if changed:
            _tell(operation, "operation.cancelled", sentence, actor=actor, old=Operation.State.QUEUED)
    operation.refresh_from_db()
    if not changed:
        if operation.state == Operation.State.QUEUED:
            raise OperationRefused("It was begun before and may have reached the remote; it must be seen through.")
        raise OperationRefused(f"Only what waits can be cancelled; this is {operation.get_state_display().lower()}.")
    _publish(operation)


# --- what the worker that holds it writes -------------------------------------------------------------------------


def operation_claim(operation_pk: int, worker: str) -> Operation | None:
    """Take a queued operation; None when it is taken, over, or another one of its project runs."""
    now = timezone.now()
    try:
        with transaction.atomic():
            taken = Operation.objects.filter(pk=operation_pk, state=Operation.State.QUEUED).update(
                state=Operation.State.RUNNING, fence=F("fence") + 1, attempts=F("attempts") + 1, worker=worker[:200],
                started_at=now, heartbeat_at=now, error_code="", error_text="", retryable=False,
            )  # fmt: skip
    except IntegrityError:
        return None  # This one's turn comes when the other ends.
    if taken != 1:
        return None
    operation = Operation.objects.select_related("project", "actor").get(pk=operation_pk)
    _publish(operation)
    return operation


def operation_beat(operation: Operation) -> bool:
    """A sign of life; False when the operation is no longer this worker's."""
    return bool(_held(operation).update(heartbeat_at=timezone.now()))


def operation_keep_plan(operation: Operation, plan: Plan) -> None:
    """Journal what is going to happen, before it does. Raises `OperationLost`."""
    _write(operation, plan=plan.as_data(), step=Operation.Step.PLANNED)


def operation_plan_again(operation: Operation, note: str) -> None:
    """The facts are other than planned: forget the plan and say why. Raises `OperationLost`."""
    outcome = operation.outcome | {"notes": [*operation.outcome.get("notes", []), note]}
    _write(operation, plan=None, step=Operation.Step.NONE, replans=operation.replans + 1, outcome=outcome)


def operation_pushed(operation: Operation) -> None:
    """The remote has taken all of it. Raises `OperationLost`. Settling, which follows at once, tells the pages."""
    _write(operation, quiet=True, step=Operation.Step.PUSHED)


def operation_wait(operation: Operation, sentence: str) -> None:
    """Put it back into the queue: somebody else works on the mirror. Raises `OperationLost`."""
    _write(
        operation, state=Operation.State.QUEUED, attempts=max(operation.attempts - 1, 0), worker="", nudged_at=None,
        error_code="busy", error_text=sentence,
    )  # fmt: skip


def operation_settle(operation: Operation, result: Plan | Nothing) -> None:
    """It is as asked for: one ledger row, and a look at the remote that proves it. Raises `OperationLost`."""
    outcome = outcome_of(result, operation.outcome.get("notes", []))
    step = Operation.Step.PUSHED if isinstance(result, Plan) else operation.step
    with transaction.atomic():
        _end(operation, Operation.State.DONE, outcome=outcome, step=step)
        _tell_done(operation, outcome)
        fetch_request(operation.project, "operation", operation.actor)


def operation_conflict(operation: Operation, result: Conflicted) -> None:
    """It needs a person's hand; nothing has happened anywhere. Raises `OperationLost`."""
    outcome = {"says": result.says, "conflicts": list(result.conflicts), "commands": list(result.commands)}
    with transaction.atomic():
        _end(operation, Operation.State.CONFLICT, outcome=outcome, plan=None, step=Operation.Step.NONE, retryable=True)
        paths = [conflict.get("path", "") for conflict in result.conflicts]
        _tell(operation, "operation.conflict", result.says, evidence={"paths": paths[:50]}, by="worker")


def operation_fail(
    operation: Operation, code: str, sentence: str, *, detail: str = "", retryable: bool = True, untouched: bool = False
) -> None:
    """It did not work: say why. Raises `OperationLost`.

    `untouched`: the remote surely has none of it. Otherwise what was journalled stays, to be looked for on the remote.
    """
    changes: dict[str, Any] = {"plan": None, "step": Operation.Step.NONE} if untouched else {}
    perhaps = not untouched and operation.step == Operation.Step.PLANNED
    sentence = storable(f"{sentence} {_PERHAPS}" if perhaps else sentence)
    outcome = operation.outcome | ({"remote": detail} if detail else {})
    with transaction.atomic():
        _end(
            operation, Operation.State.FAILED, error_code=code[:32], error_text=sentence, retryable=retryable,
            outcome=outcome, **changes,
        )  # fmt: skip
        _tell_failed(operation, detail)
        if perhaps:
            fetch_request(operation.project, "operation", operation.actor)


# --- what the sweep and a look at the remote find -----------------------------------------------------------------


def operations_lost(now: datetime | None = None) -> list[Operation]:
    """Put back into the queue what the workers that died were doing; gives those operations."""
    now = now or timezone.now()
    running = Operation.objects.filter(state=Operation.State.RUNNING).select_related("project")
    return [operation for operation in running if silent(operation, now) and operation_lost(operation)]


def operation_lost(operation: Operation) -> bool:
    """Take one from its worker, unless that gave a sign of life meanwhile; the next one goes on from the journal."""
    sentence = "The worker stopped in the middle; another compares the remote with the journal and goes on."
    changes: dict[str, Any] = {"state": Operation.State.QUEUED, "worker": "", "nudged_at": None}
    if operation.attempts >= MOST_ATTEMPTS:
        sentence = f"{operation.attempts} workers stopped in the middle of this, one after the other. {_PERHAPS}"
        changes = {
            "state": Operation.State.FAILED, "error_code": "worker-lost", "error_text": sentence, "retryable": True,
            "finished_at": timezone.now(),
        }  # fmt: skip
    with transaction.atomic():
        if _held(operation).filter(heartbeat_at=operation.heartbeat_at).update(**changes) != 1:
            return False
        _tell(
            operation, "operation.lost", sentence, by="sweep", new=str(changes["state"]),
            evidence={"worker": operation.worker, "step": operation.step},
            key=f"operation.lost:{operation.pk}:{operation.fence}",
        )  # fmt: skip
        _publish(operation)
    return True


def operations_to_nudge(now: datetime | None = None, limit: int = 500) -> list[int]:
    """Queued operations whose project is free and for which no task is known to be on its way; marks them."""
    now = now or timezone.now()
    running = Operation.objects.filter(state=Operation.State.RUNNING).values("project_id")
    waiting = Operation.objects.filter(state=Operation.State.QUEUED).exclude(project_id__in=running)
    stale = waiting.filter(Q(nudged_at__isnull=True) | Q(nudged_at__lt=now - NUDGE_AGAIN))
    pks = list(stale.order_by("pk").values_list("pk", flat=True)[:limit])
    if pks:
        Operation.objects.filter(pk__in=pks, state=Operation.State.QUEUED).update(nudged_at=now)
    return pks


def operation_nudged(operation_pk: int) -> None:
    """A task was sent for it: the sweep need not send another for a while."""
    Operation.objects.filter(pk=operation_pk, state=Operation.State.QUEUED).update(nudged_at=timezone.now())


def operation_next(project_pk: int) -> int | None:
    """The operation of this project that waits longest, if any."""
    waiting = Operation.objects.filter(project_id=project_pk, state=Operation.State.QUEUED)
    return waiting.order_by("pk").values_list("pk", flat=True).first()


def operations_found_done(project: Project) -> list[Operation]:
    """After a look at the remote: name as done what failed without an answer, and is there all the same."""
    unsure = Operation.objects.filter(project=project, state=Operation.State.FAILED, step=Operation.Step.PLANNED)
    unsure = unsure.filter(~Exists(newer_ones())).exclude(plan=None).select_related("project", "actor")
    found = []
    for operation in unsure:
        plan = Plan.from_data(operation.plan or {})
        names = [update.name for update in plan.updates]
        there = dict(Ref.objects.filter(project=project, deleted_at=None, name__in=names).values_list("name", "sha"))
        if all(there.get(update.name, "") == update.new for update in plan.updates):
            note = "The remote did not confirm it; a later look found it there."
            if _found(operation, outcome_of(plan, [*operation.outcome.get("notes", []), note])):
                found.append(operation)
    return found


def _found(operation: Operation, outcome: dict[str, Any]) -> bool:
    with transaction.atomic():
        failed = Operation.objects.filter(pk=operation.pk, fence=operation.fence, state=Operation.State.FAILED)
        changed = failed.filter(step=Operation.Step.PLANNED).update(
            state=Operation.State.DONE, step=Operation.Step.PUSHED, outcome=outcome, error_code="", error_text="",
            retryable=False,
        )  # fmt: skip
        if changed:
            _tell_done(operation, outcome)
    return bool(changed)


# --- shared -------------------------------------------------------------------------------------------------------


def outcome_of(result: Plan | Nothing, notes: list[str]) -> dict[str, Any]:
    """What the page shows of something done: `says`, `refs`, `notes`, and the facts of its kind."""
    if isinstance(result, Nothing):
        return {**result.facts, "says": result.says, "refs": [], "notes": notes}
    data = result.as_data()
    return {**data["facts"], "says": result.says, "refs": data["updates"], "notes": [*notes, *result.notes]}


def storable(value: Any) -> Any:
    """Data made fit for every database: file names and words from git may hold NULs and bytes that are no text."""
    if isinstance(value, str):
        return value.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {storable(key): storable(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [storable(part) for part in value]
    return value


def newer_ones() -> QuerySet[Operation]:
    """What was asked for under the same key since; to be used in `Exists`."""
    return Operation.objects.filter(project=OuterRef("project"), key=OuterRef("key"), pk__gt=OuterRef("pk"))


def _held(operation: Operation) -> Any:
    return Operation.objects.filter(pk=operation.pk, fence=operation.fence, state=Operation.State.RUNNING)


def _write(operation: Operation, *, quiet: bool = False, **changes: Any) -> None:
    """Change the row, if this worker still holds it, and the object alike; open pages follow unless `quiet`."""
    if "outcome" in changes:
        changes["outcome"] = storable(changes["outcome"])
    if _held(operation).update(heartbeat_at=timezone.now(), **changes) != 1:
        raise OperationLost(f"operation {operation.pk} is no longer held with fence {operation.fence}")
    for name, value in changes.items():
        setattr(operation, name, value)
    if not quiet:
        _publish(operation)


def _end(operation: Operation, state: Operation.State, **changes: Any) -> None:
    _write(operation, state=state, finished_at=timezone.now(), **changes)


def _publish(operation: Operation) -> None:
    live.publish(live.project_topic(operation.project_id))


def _tell_done(operation: Operation, outcome: dict[str, Any]) -> None:
    """Old and new are those of the first ref that moved; the evidence has all of them."""
    evidence = {key: value for key, value in outcome.items() if key != "says"}
    by = "" if operation.actor or operation.actor_name == _NOBODY[0] else operation.actor_name
    first = outcome["refs"][0] if outcome["refs"] else {"old": "", "new": ""}
    _tell(
        operation, "operation.done", outcome["says"], actor=operation.actor, by=by, old=first["old"], new=first["new"],
        evidence=evidence, key=f"operation:{operation.pk}",
    )  # fmt: skip


def _tell_failed(operation: Operation, detail: str) -> None:
    evidence = {"code": operation.error_code} | ({"detail": detail} if detail else {})
    _tell(operation, "operation.failed", operation.error_text, by="worker", new=operation.error_code, evidence=evidence)


def _tell(
    operation: Operation, kind: str, why: str, *, actor: Any = None, by: str = "", old: str = "", new: str = "",
    evidence: dict[str, Any] | None = None, key: str | None = None,
) -> None:  # fmt: skip
    """One ledger row; call it in the transaction that makes it true."""
    params = operation.params
    event_write(
        kind,
        project_id=operation.project_id,
        actor=actor,
        actor_name=by or (actor.get_username() if actor else "operator"),
        subject=operation.subject,
        target=str(params.get("target") or params.get("branch") or ""),
        old=old,
        new=new,
        why=storable(why),
        evidence=storable({"operation": operation.pk, "kind": operation.kind} | (evidence or {})),
        key=key,
    )
