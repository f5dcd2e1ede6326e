"""Preparing a drill: plan, copy, track, read, ship what runs first, declare. A worker may be killed between any two.

Every step looks at what is there already, so that the next worker goes on where the last one stopped. What cannot be
done ends the drill with a sentence; a worker that dies over it too often does, too.
"""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F, Q
from django.utils import timezone

from incidents.response.services import incident_declare
from releases.deploys.acting import run_retry
from releases.deploys.environment_services import environment_save
from releases.deploys.errors import DeployRefused
from releases.deploys.models import Environment, Run
from releases.deploys.promoting import run_follow_up
from releases.deploys.requesting import deploy_request
from releases.deploys.selectors import ACTIVE
from releases.git.errors import GitError
from releases.hotfixes.models import Hotfix
from releases.ledger.services import event_write
from releases.policies.typed import Refused
from releases.projects.models import FetchRun, Project, Release
from releases.projects.services import project_add
from releases.projects.services.leases import LOST_AFTER, NUDGE_AGAIN, Beats, silent
from releases.projects.services.projects import ProjectError

from .copying import Plan, copy_make, drill_folder, plan_copy, repository_folder, sandbox_folder
from .errors import DrillError
from .models import Drill
from .sandbox import approvals_of, sandbox_make

log = logging.getLogger(__name__)

MOST_ATTEMPTS = 3
"""So many workers lost over one drill, and it is given up: it may be what kills them."""
PATIENCE = 120.0
"""Seconds for what runs first to get into the sandbox."""
_LONGEST_NAME = 80
_BAD = (Run.State.FAILED, Run.State.ABORTED, Run.State.ABANDONED, Run.State.VOID)
CarryOut = Callable[[int], Any]


class DrillLost(Exception):
    """This worker no longer holds the drill; it must write nothing more."""


def drills_to_nudge(now: datetime) -> list[int]:
    """Drills whose preparation nobody is at; those whose workers died over it too often are given up instead."""
    found = []
    for drill in Drill.objects.filter(state=Drill.State.PREPARING).select_related("project"):
        if drill.heartbeat_at is not None and not silent(drill, now):
            continue
        if drill.fence >= MOST_ATTEMPTS:
            _fail(drill, f"Its worker was lost {drill.fence} times while preparing it. Look into the worker's log.")
        elif drill.nudged_at is None or drill.nudged_at < now - NUDGE_AGAIN or drill.fence:
            found.append(drill.pk)
    Drill.objects.filter(pk__in=found).update(nudged_at=now)
    return found


def drill_prepare(drill_pk: int, worker: str, fetch: CarryOut, run: CarryOut) -> Drill | None:
    """Prepare a drill here; None when somebody else has it. `fetch` and `run` carry out one queued row each."""
    drill = _claim(drill_pk, worker)
    if drill is None:
        return None
    try:
        with Beats(lambda: _beat(drill), f"heartbeat-drill-{drill.pk}") as beats:
            _prepare(drill, beats, fetch, run)
    except DrillLost:
        log.warning("drill %s was given up here: another worker has it", drill.pk)
    except (Refused, GitError, DeployRefused, ProjectError) as refused:
        _fail(drill, str(refused))
    except OSError as error:
        _fail(drill, f"The disk did not play along: {error.strerror or error}.")
    return Drill.objects.select_related("project", "copy").get(pk=drill_pk)


def _claim(drill_pk: int, worker: str) -> Drill | None:
    now = timezone.now()
    free = Q(heartbeat_at=None) | Q(heartbeat_at__lt=now - LOST_AFTER)
    standing = Drill.objects.filter(pk=drill_pk, state=Drill.State.PREPARING).first()
    if standing is None:
        return None
    if standing.heartbeat_at is not None and silent(standing, now):
        free |= Q(worker=standing.worker, fence=standing.fence)
    claimed = Drill.objects.filter(free, pk=drill_pk, state=Drill.State.PREPARING, fence__lt=MOST_ATTEMPTS)
    if not claimed.update(fence=F("fence") + 1, worker=worker, heartbeat_at=now):
        return None
    return Drill.objects.select_related("project", "copy", "fix__release__previous", "started_by").get(pk=drill_pk)


def _beat(drill: Drill) -> bool:
    mine = Drill.objects.filter(pk=drill.pk, fence=drill.fence, state=Drill.State.PREPARING)
    return bool(mine.update(heartbeat_at=timezone.now()))


def _prepare(drill: Drill, beats: Beats, fetch: CarryOut, run: CarryOut) -> None:
    def step(text: str) -> None:
        if beats.lost.is_set():
            raise DrillLost
        _write(drill, step=text)

    step("Going back to before the fix")
    plan = _plan(drill)
    step("Copying the history")
    if not repository_folder(drill).is_dir():
        copy_make(drill, plan)
    copy = _track(drill)
    step("Reading the copy")
    _read(copy, fetch)
    step("Setting up the sandbox")
    conflict = drill.scenario == Drill.Scenario.CONFLICT
    sandbox_make(drill.project, copy, sandbox_folder(drill), begins_at=plan.begins_at, fails_once=conflict)
    step(f"Shipping {plan.begins_at} to where it begins")
    _ship(copy, plan.begins_at, run)
    if beats.lost.is_set():
        raise DrillLost
    _begin(drill, copy)


def _plan(drill: Drill) -> Plan:
    if "refs" in drill.params:
        return Plan.from_data(drill.params)
    if drill.fix is None:
        raise DrillError(
            "fix", "The fix that was to be done again is no longer known here. Choose another one.", "gone"
        )
    plan = plan_copy(drill.project, drill.fix)
    # Whatever lies there under this number is of another database.
    shutil.rmtree(drill_folder(drill), ignore_errors=True)
    _write(drill, params=drill.params | plan.as_data())
    return plan


def _track(drill: Drill) -> Project:
    """The copy as a project of its own, which reaches nothing but its own folder."""
    if drill.copy is not None:
        return drill.copy
    with transaction.atomic():
        copy, _run = project_add(
            _name(drill), str(repository_folder(drill)), policy=drill.project.policy, actor=drill.started_by,
            fetch_every=10, drill_of=drill.project,
        )  # fmt: skip
        _write(drill, copy=copy)
    return copy


def _name(drill: Drill) -> str:
    ending = f" {drill.pk}"
    return f"Drill of {drill.project.name}"[: _LONGEST_NAME - len(ending)] + ending


def _read(copy: Project, fetch: CarryOut) -> None:
    """Its first look, here and now; whoever else begins it is waited for."""
    until = time.monotonic() + PATIENCE
    while True:
        copy.refresh_from_db()
        if copy.judged_at is not None:
            return
        # A worker that died over it counts as a failure too, but says nothing of the copy: it is tried again.
        if copy.error_code:
            raise DrillError("", f"The copy could not be read. {copy.error_text}", "unread")
        if time.monotonic() > until:
            raise DrillError("", "The copy could not be read in time. Try again when the machine is calmer.", "slow")
        waiting = FetchRun.objects.filter(project=copy, state=FetchRun.State.QUEUED).first()
        if waiting is not None and fetch(waiting.pk) is not None:
            until = time.monotonic() + PATIENCE  # It took as long as it took.
        else:
            time.sleep(0.2)


def _ship(copy: Project, tag: str, run: CarryOut) -> None:
    """What production runs as the drill begins, so that there is something to compare with and to go back to."""
    release = Release.objects.get(project=copy, tag=tag)
    places = Environment.objects.filter(project=copy, kind=Environment.Kind.PRODUCTION, retired_at=None)
    until = time.monotonic() + PATIENCE
    for place in places.order_by("order", "pk"):
        while True:
            place.refresh_from_db()
            if place.live_id is not None:
                break
            if time.monotonic() > until:
                raise DrillError("", f"{tag} did not get into the sandbox in time.", "slow")
            _move_on(place, release, run)


def _move_on(place: Environment, release: Release, run: CarryOut) -> None:
    rows = Run.objects.filter(project=place.project_id, tag=release.tag).order_by("pk")
    if bad := rows.filter(state__in=_BAD).last():
        raise DrillError("", f"{release.tag} did not get into the sandbox: {bad.error_text}", "sandbox")
    for standing in rows.filter(state=Run.State.DONE, followed_at=None):
        run_follow_up(standing)
    if lost := rows.filter(state=Run.State.LOST).first():
        run_retry(lost)  # Its worker was the one that prepared this drill before; in a sandbox nothing is done twice.
    waiting = rows.filter(state__in=(Run.State.QUEUED, Run.State.PAUSED)).first()
    if waiting is not None:
        if run(waiting.pk) is None:
            time.sleep(0.2)
    elif not rows.filter(state__in=ACTIVE).exists():
        deploy_request(place, release, trigger="command", why="A drill begins with what ran in production then.")
    else:
        time.sleep(0.2)


def _begin(drill: Drill, copy: Project) -> None:
    """From here on people play: approvals as in the real project, and the alert."""
    approvals = approvals_of(drill.project)
    with transaction.atomic():
        for place in Environment.objects.filter(project=copy, retired_at=None):
            needed, named = approvals.get(place.name, (0, []))
            environment_save(place, approvals=needed, approvers=named)
        if not drill.incidents.exists():
            incident_declare(
                copy, f"Drill: {drill.subject}"[:200], severity=_severity(drill), public=False, drill=drill,
                impact="Nobody is hurt: this is a drill.", text=_alert(drill), lead=drill.started_by,
                actor=drill.started_by,
            )  # fmt: skip
        now = timezone.now()
        _write(drill, state=Drill.State.RUNNING, started_at=now, step="", heartbeat_at=None)
        event_write(
            "drill.started", project_id=drill.project_id, actor=drill.started_by,
            actor_name="" if drill.started_by else "worker", subject=f"drill:{drill.pk}", new=drill.scenario,
            why=f"A drill began: {drill.get_scenario_display()}, {drill.subject}.",
        )  # fmt: skip
    _publish(drill)


def _severity(drill: Drill) -> int:
    known = Hotfix.objects.filter(project=drill.project_id, fixes=drill.fix_id).first() if drill.fix_id else None
    return known.severity if known else int(Hotfix.Severity.SEV2)


def _alert(drill: Drill) -> str:
    return (
        f"Production runs {drill.params['begins_at']}, and the bug behind “{drill.subject}” is back. Mend it as you "
        "would on a bad day: open a hotfix, and bring it to every branch that needs it."
    )


def _fail(drill: Drill, sentence: str) -> None:
    with transaction.atomic():
        mine = Drill.objects.filter(pk=drill.pk, fence=drill.fence, state=Drill.State.PREPARING)
        now = timezone.now()
        if not mine.update(state=Drill.State.FAILED, error=sentence[:2000], ended_at=now, remove_at=now, step=""):
            return
        event_write(
            "drill.failed", project_id=drill.project_id, actor_name="worker", subject=f"drill:{drill.pk}",
            why=f"A drill could not be prepared. {sentence}"[:1000],
        )  # fmt: skip
    _publish(drill)


def _write(drill: Drill, **fields: Any) -> None:
    """Only while this worker holds it. Raises DrillLost."""
    mine = Drill.objects.filter(pk=drill.pk, fence=drill.fence, state=Drill.State.PREPARING)
    try:
        changed = mine.update(**fields)
    except IntegrityError:
        raise DrillLost from None
    if not changed:
        raise DrillLost
    for name, value in fields.items():
        setattr(drill, name, value)
    if "step" in fields:
        _publish(drill)


def _publish(drill: Drill) -> None:
    from .services import drill_publish

    drill_publish(drill)
