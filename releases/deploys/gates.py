"""What holds a run back: another run, a lock, a freeze, its place in the queue, a bad release, or changed facts.

Whoever takes a run asks `holds` inside the transaction that takes it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from releases.ledger.services import event_write

from .binding import RELATED, changed_of
from .errors import DeployRefused
from .freezing import Window, freeze_now, moment_says
from .models import BadRelease, Environment, Run
from .models.runs import HOLDING
from .voices import missing_of


@dataclass(frozen=True, slots=True)
class Hold:
    """One reason why a run does not start; `until` when it is known to end by itself."""

    code: str
    """stale, approval, bad, active, lock, freeze, queue."""
    sentence: str
    until: datetime | None = None


def holds(run: Run, now: datetime | None = None) -> list[Hold]:
    """Everything that keeps this queued run from starting; empty when it may start now."""
    return holds_of([run], now)[run.pk]


def holds_of(runs: Sequence[Run], now: datetime | None = None) -> dict[int, list[Hold]]:
    """`holds` of many runs, in a number of queries that does not depend on how many."""
    now = now or timezone.now()
    places = {run.environment_id for run in runs if run.environment_id}
    queued = list(Run.objects.filter(environment__in=places, state=Run.State.QUEUED).select_related(*RELATED))
    asked = {run.pk: run for run in [*runs, *queued]}
    own = _own_holds(list(asked.values()), now)
    active = {
        run.environment_id: run
        for run in Run.objects.filter(environment__in=places, state__in=HOLDING).select_related("environment")
    }
    frozen = _frozen(places, now)
    found = {}
    for run in runs:
        found[run.pk] = own[run.pk] + _place_holds(run, active, frozen, now)
        line = [other for other in queued if other.environment_id == run.environment_id]
        found[run.pk] += _queue_holds(run, [other for other in line if not own[other.pk]])
    return found


def waits_for(run: Run, now: datetime | None = None) -> list[Hold]:
    """What to tell people about a run that has not begun: all that holds a queued one; of one that still waits for
    approval what its approval would not mend, the lock and the freeze. Nothing of any other.
    """
    if run.state == Run.State.QUEUED:
        return holds(run, now)
    if run.state == Run.State.ASKED:
        return [hold for hold in holds(run, now) if hold.code in ("lock", "freeze")]
    return []


def _own_holds(runs: Sequence[Run], now: datetime) -> dict[int, list[Hold]]:
    """What is wrong with the run itself: waiting for the environment does not mend it."""
    stale = changed_of(runs)
    bad = bad_marks(runs)
    missing = missing_of(runs, now)
    found: dict[int, list[Hold]] = {}
    for run in runs:
        mine = [Hold("stale", sentence) for sentence in stale[run.pk]]
        if missing[run.pk]:
            mine.append(Hold("approval", f"{missing[run.pk]} more must approve."))
        mark = bad.get((run.project_id, run.tag))
        if mark is not None and not run.why.strip() and run.glass_by_id is None:
            mine.append(Hold("bad", f"{run.tag} is marked as bad: {mark.why} It ships again only with a reason."))
        found[run.pk] = mine
    return found


def bad_marks(runs: Iterable[Run]) -> dict[tuple[int, str], BadRelease]:
    """The standing mark of each run's very release, by project and tag; builds are not held by one."""
    deploys = [run for run in runs if run.kind == Run.Kind.DEPLOY]
    if not deploys:
        return {}
    marks = BadRelease.objects.filter(
        project_id__in={run.project_id for run in deploys}, tag__in={run.tag for run in deploys}, lifted_at=None
    )
    return {(mark.project_id, mark.tag): mark for mark in marks}


def _frozen(places: Iterable[int], now: datetime) -> dict[int, Window]:
    environments = Environment.objects.filter(pk__in=places).prefetch_related("freezes")
    found = {place.pk: freeze_now(place, now) for place in environments}
    return {pk: window for pk, window in found.items() if window is not None}


def _place_holds(
    run: Run, active: dict[int | None, Run], frozen: dict[int, Window], now: datetime
) -> list[Hold]:  # fmt: skip
    place = run.environment
    if place is None:
        return []
    found = []
    other = active.get(place.pk)
    if other is not None and other.pk != run.pk:
        found.append(
            Hold("active", f"{other.tag} is on its way to {place.name} ({other.get_state_display().lower()}).")
        )
    if run.glass_by_id is not None:
        return found
    if locked(place, now):
        found.append(Hold("lock", lock_says(place), place.locked_until))
    window = frozen.get(place.pk)
    if window is not None and run.kind != Run.Kind.ROLLBACK:
        found.append(Hold("freeze", freeze_holds(place, window), window.ends))
    return found


def _queue_holds(run: Run, line: Sequence[Run]) -> list[Hold]:
    """Whether somebody who could start stands before it; whom their own state holds stops nobody else."""
    if run.environment_id is None or run.state != Run.State.QUEUED:
        return []
    before = [other for other in line if other.pk != run.pk and queue_key(other) < queue_key(run)]
    if not before:
        return []
    first = min(before, key=queue_key)
    more = f" and {len(before) - 1} more" if len(before) > 1 else ""
    return [Hold("queue", f"{first.tag}{more} stands before it in the queue.")]


def queue_key(run: Run) -> tuple[Any, ...]:
    """Order in an environment's queue: what was let through the glass, what brings the old back, then rank and age."""
    queued = run.queued_at or run.asked_at
    return (run.glass_by_id is None, run.kind != Run.Kind.ROLLBACK, run.rank, queued, run.pk)


def queue_of(environment: Environment) -> list[Run]:
    """What waits for the environment, in the order in which it goes."""
    waiting = Run.objects.filter(environment=environment, state=Run.State.QUEUED).select_related(*RELATED)
    return sorted(waiting, key=queue_key)


# --- locks ----------------------------------------------------------------------------------------------------------


def locked(environment: Environment, now: datetime) -> bool:
    """Whether a lock holds now; one whose time is up does not, even before anybody has tidied it away."""
    until = environment.locked_until
    return environment.locked_at is not None and (until is None or until > now)


def lock_says(environment: Environment) -> str:
    """Who locked it, until when, and why."""
    who = environment.locked_by.get_username() if environment.locked_by else "the operator"
    until = environment.locked_until
    ends = moment_says(until, environment) if until is not None else "somebody unlocks it"
    return f"{environment.name} is locked by {who} until {ends}: {environment.lock_why}"


def freeze_holds(environment: Environment, window: Window) -> str:
    """Until when it is frozen, and why."""
    return f"{environment.name} is frozen until {moment_says(window.ends, environment)}: {window.why}"


def environment_lock(
    environment: Environment, actor: Any, why: str, until: datetime | None = None, now: datetime | None = None
) -> None:
    """Let nothing start in this environment until it is unlocked, or until then. Raises `DeployRefused`."""
    now, why = now or timezone.now(), why.strip()
    if not why:
        raise DeployRefused("comment", "Say why nothing may be deployed there.")
    if until is not None and until <= now:
        raise DeployRefused("until", "A lock ends in the future, or by hand.")
    with transaction.atomic():
        free = Environment.objects.filter(pk=environment.pk).filter(Q(locked_at=None) | Q(locked_until__lte=now))
        if not free.update(locked_at=now, locked_by=actor, lock_why=why, locked_until=until):
            environment.refresh_from_db()
            raise DeployRefused("locked", lock_says(environment))
        _tell("environment.locked", environment, actor, why)
    environment.refresh_from_db()


def environment_unlock(environment: Environment, actor: Any, why: str = "") -> bool:
    """Take the lock away; False when there was none."""
    with transaction.atomic():
        changed = _unlock(Environment.objects.filter(pk=environment.pk))
        if changed:
            _tell("environment.unlocked", environment, actor, why.strip() or "Unlocked by hand.")
    environment.refresh_from_db()
    return bool(changed)


def locks_end(now: datetime | None = None) -> list[Environment]:
    """Tidy away the locks whose time is up; gives those environments."""
    now = now or timezone.now()
    found = []
    for environment in Environment.objects.filter(locked_until__lte=now).select_related("locked_by"):
        with transaction.atomic():
            if _unlock(Environment.objects.filter(pk=environment.pk, locked_until__lte=now)):
                _tell("environment.unlocked", environment, None, "Its time was up.", by="sweep")
                found.append(environment)
    return found


def _unlock(rows: Any) -> int:
    return int(rows.exclude(locked_at=None).update(locked_at=None, locked_by=None, lock_why="", locked_until=None))


def _tell(kind: str, environment: Environment, actor: Any, why: str, by: str = "operator") -> None:
    event_write(
        kind, project_id=environment.project_id, actor=actor, actor_name="" if actor else by,
        subject=f"environment:{environment.name}", why=why,
    )  # fmt: skip
