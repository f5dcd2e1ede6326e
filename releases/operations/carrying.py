"""Carrying out one operation: plan, journal, push, settle; a worker may be killed between any two of them.

What was journalled is compared with the remote before anything is pushed, so that the next worker goes on where the
last one stopped, and a push whose answer was lost is recognised. See docs/decisions/0006.
"""

from __future__ import annotations

import logging
from enum import Enum
from pathlib import Path

from releases.git.commits import Person
from releases.git.errors import Busy, GitError
from releases.git.objects import is_ancestor, resolve_many
from releases.git.push import LeaseLost, NotForward, PushRefused
from releases.git.session import Session
from releases.policies.flow import FlowPolicy
from releases.projects.secrets import SecretUnreadable
from releases.projects.services.leases import Beats
from releases.projects.services.mirrors import mirror_of
from releases.projects.services.signing import signer_of

from .models import Operation
from .plan import Conflicted, Nothing, Plan, PlanRefused
from .plans import PLANNERS
from .plans.planning import Planning
from .services import (
    OperationLost,
    operation_beat,
    operation_claim,
    operation_conflict,
    operation_fail,
    operation_keep_plan,
    operation_plan_again,
    operation_pushed,
    operation_settle,
    operation_wait,
)

log = logging.getLogger(__name__)

MOST_REPLANS = 5
"""So often it is planned again because the remote moved in between; then a person is asked."""
MIRROR_WAIT = 2.0
"""Seconds to wait for a fetch to let the mirror go; then it goes back to the queue, and the worker is free."""

_WAITS = "A fetch, or something else, works on this project's copy right now; this begins as soon as that is done."

WRITE_TAGS = frozenset({"finish", "tag"})
"""Kinds whose planner writes a tag, and is handed the project's signing key."""


class Seen(Enum):
    """What the remote says of a journalled plan."""

    OLD = "as it was before"
    NEW = "as planned"
    OTHER = "neither"


def operation_carry_out(operation_pk: int, worker: str) -> Operation | None:
    """Carry out one queued operation. Returns it as it ended, or None when somebody else has it or will."""
    operation = operation_claim(operation_pk, worker)
    if operation is None:
        return None
    try:
        with Beats(lambda: operation_beat(operation), f"heartbeat-operation-{operation.pk}") as beats:
            _carry_out(operation, beats)
    except OperationLost as lost:
        log.warning("operation given up: %s", lost)
    return Operation.objects.filter(pk=operation_pk).select_related("project", "actor").first()


def compare(git_dir: Path, refs: dict[str, str], plan: Plan) -> Seen:
    """Whether the remote's refs (full name → object id) are as before the plan, as after it, or neither.

    A branch that has moved on from its new value counts as new: what was planned is in it.
    """
    seen = {_seen(git_dir, refs.get(update.name, ""), update.old, update.new, update.name) for update in plan.updates}
    return seen.pop() if len(seen) == 1 else Seen.OTHER


def _seen(git_dir: Path, now: str, old: str, new: str, name: str) -> Seen:
    if now == new:
        return Seen.NEW
    if now == old:
        return Seen.OLD
    # The mirror has all of the tip's history: a commit that it lacks is not in there.
    if new and now and name.startswith("refs/heads/") and is_ancestor(git_dir, new, now):
        return Seen.NEW
    return Seen.OTHER


def _carry_out(operation: Operation, beats: Beats) -> None:
    """All steps; what goes wrong is written down as a sentence, and whether it may be tried again."""
    try:
        if operation.step == Operation.Step.PUSHED and operation.plan:
            operation_settle(operation, Plan.from_data(operation.plan))
            return
        _rounds(operation, beats)
    except OperationLost:
        raise
    except Busy as error:
        if operation.state == Operation.State.RUNNING:
            operation_wait(operation, _WAITS)
            log.info("operation %s waits: %s", operation.pk, error)
    except PlanRefused as refusal:
        operation_fail(operation, refusal.code, refusal.sentence, retryable=refusal.retryable, untouched=True)
    except (PushRefused, NotForward) as error:
        operation_fail(operation, error.code, error.sentence, detail=error.detail, untouched=True)
    except GitError as error:
        operation_fail(operation, error.code, error.sentence, detail=error.detail)
    except SecretUnreadable as error:
        operation_fail(operation, "secret", str(error))
    except Exception:
        log.exception("operation %s failed", operation.pk)
        sentence = "Something went wrong here, not at the remote. The worker's log has the details."
        operation_fail(operation, "failed", sentence)


def _rounds(operation: Operation, beats: Beats) -> None:
    """Look, plan, push; again from the start as long as the remote moves in between."""
    mirror = mirror_of(operation.project, lock_wait=MIRROR_WAIT)
    for _ in range(MOST_REPLANS + 1):
        with mirror.changing() as session:
            if _round(operation, session, beats):
                return
    sentence = "The remote moved again and again while this was prepared. Try again when it is quieter there."
    operation_fail(operation, "moved", sentence, untouched=True)


def _round(operation: Operation, session: Session, beats: Beats) -> bool:
    """One look at the remote and what follows from it; False when the remote moved and must be looked at again."""
    plan = _journalled(operation, session)
    if plan is None:
        result = _planned(operation, session)
        if isinstance(result, Conflicted):
            operation_conflict(operation, result)
            return True
        if isinstance(result, Nothing):
            operation_settle(operation, result)
            return True
        plan = result
        operation_keep_plan(operation, plan)
    elif compare(session.git_dir, session.refs, plan) is Seen.NEW:
        operation_settle(operation, plan)
        return True
    if beats.lost.is_set() or not operation_beat(operation):
        raise OperationLost(f"operation {operation.pk} was taken away before its push")
    if not _pushed(session, plan):
        return False
    operation_pushed(operation)
    operation_settle(operation, plan)
    return True


def _journalled(operation: Operation, session: Session) -> Plan | None:
    """The plan that is to be carried out as it stands, or is carried out already; None when one must be made."""
    if not operation.plan:
        return None
    plan = Plan.from_data(operation.plan)
    seen = compare(session.git_dir, session.refs, plan)
    if seen is Seen.OTHER:
        operation_plan_again(operation, f"Planned again: {_moved(plan, session.refs)} moved in between.")
        return None
    new = [update.new for update in plan.updates if update.new]
    if seen is Seen.OLD and len(resolve_many(session.git_dir, new)) < len(set(new)):
        operation_plan_again(operation, "Planned again: what was prepared lies on another machine.")
        return None
    return plan


def _moved(plan: Plan, refs: dict[str, str]) -> str:
    """Short names of what is neither as before nor as planned; else of what changed for only a part of the plan."""
    now = [(update, refs.get(update.name, "")) for update in plan.updates]
    moved = [update.name for update, value in now if value not in (update.old, update.new)]
    names = moved or [update.name for update, value in now if value != update.old]
    return ", ".join(name.split("/", 2)[2] for name in names)


def _planned(operation: Operation, session: Session) -> Plan | Nothing | Conflicted:
    planner = PLANNERS.get(operation.kind)
    if planner is None:
        raise PlanRefused("unknown-kind", f"This version cannot do “{operation.kind}”.", retryable=False)
    return planner(_planning(operation, session))


def _planning(operation: Operation, session: Session) -> Planning:
    """What the planner gets: the same for every worker that plans from the same refs."""
    person = Person(operation.actor_name, operation.actor_email, int(operation.asked_at.timestamp()))
    policy = FlowPolicy.from_data(operation.project.policy)
    signer = signer_of(operation.project) if operation.kind in WRITE_TAGS else None
    return Planning(session.git_dir, dict(session.refs), policy, operation.params, person, operation.project_id, signer)


def _pushed(session: Session, plan: Plan) -> bool:
    """Push; False when a ref had moved. An answer that was lost is looked up, as far as the remote still talks."""
    try:
        session.push(plan.updates)
    except LeaseLost:
        return False
    except (PushRefused, NotForward):
        raise
    except GitError:
        if not _landed(session, plan):
            raise
    return True


def _landed(session: Session, plan: Plan) -> bool:
    try:
        now = session.ask([update.name for update in plan.updates])
    except GitError:
        return False
    return all(now.get(update.name, "") == update.new for update in plan.updates)
