"""Whether what was deployed really runs, and stays well: after a deployment, while it is watched, and ever after.

`settle` waits for the new version right after the deploy steps. From then on the sweep asks each environment's probe
(`environments_probe`): what it says is written down, a difference to what was deployed is *drift*, and a deployment
that is being watched is verified or fails by it. One bad answer is no verdict: it takes two in a row.

Ledger kinds: environment.drift, environment.agrees, environment.unwell, environment.well.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.models import Q
from django.utils import timezone

from releases import live
from releases.ledger.models import Event
from releases.ledger.services import event_write

from .models import Environment, Run
from .models.runs import HOLDING
from .moving import run_unwatched, run_unwell, run_verified
from .probing import Seen, names, probe
from .runner.execution import Ended
from .selectors import RELATED

log = logging.getLogger(__name__)

BAD_IN_A_ROW = 2
"""So many bad answers one after the other, and a watched deployment has failed."""
WATCH_EVERY = 10.0
"""Seconds between two looks at an environment that is being watched, at most."""
AT_ONCE = 8
"""Environments that are asked at the same time."""
_UNWELL, _WELL = "environment.unwell", "environment.well"
LONGEST_PAUSE = 2.0
"""Seconds between two looks while a deployment settles."""


# --- after the deploy steps -------------------------------------------------------------------------------------------


def settle(run: Run, stop: Callable[[], str], sink: Callable[[bytes], None] | None = None) -> Ended:
    """Ask the probe until it names what this run brought, and is well; at most the environment's `settle_seconds`.

    `stop` is asked several times a second for a reason to give up; `sink` gets a line whenever the answer changes.
    """
    environment = run.environment
    begun = time.monotonic()
    say = sink or (lambda _line: None)
    if environment is None or not environment.probe:
        say(b"No probe is set up here, so nobody asks what runs.\n")
        return Ended("exited", 0, None, {}, 0.0, "")
    said, pause = "", 0.2
    while True:
        seen = probe(environment)
        why = unlike(seen, run)
        line = why or f"{environment.name} runs {seen.revision} and is well."
        if line != said:
            say(f"{line}\n".encode())
            said = line
        left = environment.settle_seconds - (time.monotonic() - begun)
        if not why:
            return Ended("exited", 0, None, {"revision": seen.revision}, time.monotonic() - begun, "")
        if left <= 0:
            late = f"{why} That is so after {environment.settle_seconds} seconds."
            return Ended("timeout", None, None, {}, time.monotonic() - begun, late)
        if reason := _waited(min(pause, left), stop):
            return Ended(reason, None, None, {}, time.monotonic() - begun, "")
        pause = min(pause * 1.5, LONGEST_PAUSE)


def _waited(seconds: float, stop: Callable[[], str]) -> str:
    until = time.monotonic() + seconds
    while True:
        if reason := stop():
            return reason
        left = until - time.monotonic()
        if left <= 0:
            return ""
        time.sleep(min(left, 0.25))


def unlike(seen: Seen, run: Run) -> str:
    """Why this answer is not that this run's release runs there well; empty when it is."""
    if seen.revision and not names(seen.revision, run):
        return f"The probe names {seen.revision} and not {run.tag}."
    if seen.error or not seen.healthy:
        return seen.error or "It is not well."
    return "" if seen.revision else "The probe names no revision."


# --- every now and then -----------------------------------------------------------------------------------------------


def environments_to_probe(now: datetime | None = None, limit: int = 200) -> list[int]:
    """Those whose turn it is, each given to one caller only: the next turn is set at once."""
    now = now or timezone.now()
    due = Environment.objects.filter(retired_at=None).exclude(probe={}).filter(
        Q(next_probe_at=None) | Q(next_probe_at__lte=now)
    )  # fmt: skip
    taken = []
    for pk, every, before in due.order_by("next_probe_at", "pk").values_list("pk", "probe_every", "next_probe_at")[
        :limit
    ]:
        mine = Environment.objects.filter(pk=pk, next_probe_at=before)
        if mine.update(next_probe_at=now + timedelta(seconds=every)):
            taken.append(pk)
    return taken


def environments_probe(pks: Iterable[int]) -> int:
    """Ask these environments side by side, and write down what each said; how many answers were written."""
    rows = list(Environment.objects.filter(pk__in=list(pks)).select_related("project", "live"))
    if not rows:
        return 0
    with ThreadPoolExecutor(min(AT_ONCE, len(rows)), thread_name_prefix="probe") as pool:
        answers = list(pool.map(_asked, rows))
    return sum(environment_probed(row, seen) for row, seen in zip(rows, answers, strict=True) if seen is not None)


def _asked(environment: Environment) -> Seen | None:
    try:
        return probe(environment)
    except Exception:
        log.exception("the probe of %s could not be asked", environment)
        return None
    finally:
        connection.close()  # This thread's own: reading a secret opens one.


def environment_probed(environment: Environment, seen: Seen, now: datetime | None = None) -> bool:
    """Write down what the probe said, and what follows from it; False when it was asked under other circumstances.

    `environment` is the row as it was when it was asked: an answer from before a deployment, or by a probe that was
    changed since, says nothing about now.
    """
    now = now or timezone.now()
    with transaction.atomic():
        row = Environment.objects.select_for_update(of=("self",)).select_related("live").get(pk=environment.pk)
        if row.probe != environment.probe or row.live_id != environment.live_id or row.retired_at is not None:
            return False
        _compare(row, seen, now)
        row.save(update_fields=[
            "probed_at", "next_probe_at", "seen", "seen_at", "healthy", "probe_error", "bad_probes", "unwell_since",
            "drift_since",
        ])  # fmt: skip
    watched = Run.objects.filter(environment=row, state=Run.State.WATCHING).select_related(*RELATED)
    for run in watched.order_by("pk"):
        watch_tick(run, seen, row.bad_probes, now)
    return True


def _compare(row: Environment, seen: Seen, now: datetime) -> None:
    """Bring the row in line with the answer, in the caller's transaction."""
    busy = Run.objects.filter(environment=row, state__in=HOLDING).exists()
    other = bool(row.live and seen.revision and not names(seen.revision, row.live))
    shown = (row.seen, row.healthy, row.probe_error, row.drift_since is None)
    row.probed_at = now
    if seen.revision:
        row.seen, row.seen_at = seen.revision, now
    row.probe_error = seen.error
    # What is just being replaced may well be away for a moment.
    bad = not busy and (other or not seen.healthy)
    row.bad_probes = min(row.bad_probes + 1, 1000) if bad else 0
    _health(row, seen, now, told=not busy)
    if not busy and (seen.revision or row.live is None):
        _drift(row, now if other else None)
    if Run.objects.filter(environment=row, state=Run.State.WATCHING).exists():
        row.next_probe_at = now + timedelta(seconds=min(row.probe_every, WATCH_EVERY))
    if shown != (row.seen, row.healthy, row.probe_error, row.drift_since is None):
        live.publish(live.project_topic(row.project_id), live.OVERVIEW)


def _health(row: Environment, seen: Seen, now: datetime, *, told: bool) -> None:
    was = row.healthy
    row.healthy = seen.healthy
    row.unwell_since = None if seen.healthy else row.unwell_since or now
    if not told or row.live is None or (was and seen.healthy):
        return
    rows = Event.objects.filter(project=row.project_id, subject=_subject(row), kind__in=(_UNWELL, _WELL))
    unwell = rows.order_by("-pk").values_list("kind", flat=True).first() == _UNWELL
    if not seen.healthy and not unwell:
        _tell(row, _UNWELL, f"{row.name} is not well. {seen.error}".strip())
    elif seen.healthy and unwell:
        _tell(row, _WELL, f"{row.name} is well again.")


def _subject(row: Environment) -> str:
    return f"environment:{row.name}"


def _drift(row: Environment, since: datetime | None) -> None:
    if since is not None and row.drift_since is None and row.live is not None:
        row.drift_since = since
        why = f"{row.name} runs {row.seen}, and {row.live.tag} was deployed there."
        _tell(row, "environment.drift", why, old=row.live.tag, new=row.seen)
    elif since is None and row.drift_since is not None:
        row.drift_since = None
        _tell(row, "environment.agrees", f"{row.name} runs what was deployed there again.", new=row.seen)


def _tell(row: Environment, kind: str, why: str, *, old: str = "", new: str = "") -> None:
    event_write(
        kind, project_id=row.project_id, actor_name="probe", subject=_subject(row), target=row.name,
        old=old, new=new, why=why, evidence={"probe": row.probe.get("kind", "")},
    )  # fmt: skip


# --- a deployment that is watched -------------------------------------------------------------------------------------


def watch_tick(run: Run, seen: Seen, bad: int = BAD_IN_A_ROW, now: datetime | None = None) -> str:
    """What this answer means for a deployment that is being watched; the state that it is in now.

    `bad`: how many bad answers came in a row, this one included. What follows from the end of the watch (the next
    environment, a rollback) is promoting.py's.
    """
    now = now or timezone.now()
    if run.environment is None or run.state != Run.State.WATCHING:
        return run.state
    if why := unlike(seen, run):
        if bad >= BAD_IN_A_ROW:
            run_unwell(run, why)
    elif run.watch_until is None or now >= run.watch_until:
        run_verified(run)
    return run.state


def watches_unasked(now: datetime | None = None) -> int:
    """End the watches that no probe can end: its environment has none any more, or is out of use. How many ended."""
    now = now or timezone.now()
    over = Run.objects.filter(state=Run.State.WATCHING, watch_until__lte=now)
    over = over.filter(Q(environment__probe={}) | Q(environment__retired_at__isnull=False))
    return sum(run_unwatched(run) for run in over.select_related(*RELATED))
