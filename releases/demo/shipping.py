"""The demo ships for real: environments on this machine, a pipeline that runs, and first releases that went through it.

Projects get environments and a pipeline when the demo is built, in no time. Their first releases are brought out after
that, beside the pages, by the app host's command (`manage.py demo --ship`): every run is carried out as a worker does.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Q

from releases.deploys.approving import approve
from releases.deploys.binding import binding_of
from releases.deploys.environment_services import environment_add, environment_save
from releases.deploys.models import Environment, Run
from releases.deploys.promoting import run_follow_up
from releases.deploys.requesting import deploy_request
from releases.deploys.selectors import ACTIVE, RELATED
from releases.deploys.settings_services import pipeline_save
from releases.deploys.spec import PipelineSpec, StepKind, StepSpec, Trigger
from releases.projects.models import Project, Release

from .build import CATALOGUE
from .places import TO_SHIP, Place, apps_folder, places, port_choose
from .tickets import People

SETTLE, WATCH, EVERY = 30, 15, 10
"""Seconds: on one machine, most things are quick."""
PATIENCE = 120.0
"""Seconds for one release on its whole way."""
_ACTIVE = (*ACTIVE, Run.State.WATCHING)
_BAD = (Run.State.FAILED, Run.State.ABORTED, Run.State.LOST, Run.State.VOID)
_TESTS = "python3 -m unittest"
_ARCHIVE = """\
printf '%s\\n' "$HOTFIXDASH_VERSION" > RELEASE
printf '%s\\n' "$HOTFIXDASH_COMMIT" > REVISION
git archive --format=tar.gz --add-file=RELEASE --add-file=REVISION --output=app.tar.gz HEAD
ls -l app.tar.gz
"""
_UNPACK = """\
slot="$APPS/$HOTFIXDASH_PROJECT/$HOTFIXDASH_ENVIRONMENT/slots/$HOTFIXDASH_TAG-$HOTFIXDASH_RUN"
mkdir -p "$slot"
tar -xzf "$HOTFIXDASH_ARTIFACT" -C "$slot"
echo "$HOTFIXDASH_TAG is in $slot"
"""
_SWITCH = """\
cd "$APPS/$HOTFIXDASH_PROJECT/$HOTFIXDASH_ENVIRONMENT"
ln -sfn "slots/$HOTFIXDASH_TAG-$HOTFIXDASH_RUN" next
mv -fT next current
touch restart
echo "current leads to $(readlink current); the application is started anew"
ls -1dt slots/* | tail -n +6 | xargs -r rm -rf
"""


class NotShipped(Exception):
    """A first release did not get through; the message says which, and why."""


@dataclass(frozen=True, slots=True)
class First:
    """A release that the demo brings out: where, in which lane."""

    tag: str
    environment: str
    lane: str = "hotfix"
    approved: bool = True
    """Production says yes to what comes on from there; otherwise it waits for whoever looks at the demo."""


@dataclass(frozen=True, slots=True)
class Shipped:
    """How one of the demo's projects ships."""

    critical: tuple[str, ...]
    """Test modules that a hotfix must pass."""
    first: tuple[First, ...]


SHIPPED = {
    "checkout-api": Shipped(
        ("tests.test_web", "tests.test_capture", "tests.test_three_ds", "tests.test_refund"),
        (
            First("v1.2.0", "staging", "release"),
            First("v1.2.2", "hotfix-staging"),
            First("v1.2.3", "hotfix-staging"),
        ),
    ),
    "ledger": Shipped(
        ("tests.test_web", "tests.test_money"),
        (First("v3.8.2", "staging", "release"), First("v3.8.3", "hotfix-staging")),
    ),
    "mobile-bff": Shipped(
        ("tests.test_web", "tests.test_pictures"),
        (First("v0.42.0", "staging", "release"), First("v0.42.1", "hotfix-staging", approved=False)),
    ),
}  # fmt: skip
ENVIRONMENTS: tuple[dict[str, Any], ...] = (
    {"name": "hotfix-staging", "kind": "staging", "hotfixes": "only"},
    {"name": "staging", "kind": "staging", "hotfixes": "skip"},
    {"name": "production", "kind": "production", "hotfixes": "must"},
)


def demo_apps() -> Path:
    return apps_folder(Path(settings.DATA_DIR))


def pipeline_spec(shipped: Shipped) -> PipelineSpec:
    """Checked, archived, unpacked into a slot, switched over, asked."""
    # Wherever this dashboard's Python lies, the steps find it under the name that the commands use.
    path = os.pathsep.join(dict.fromkeys([str(Path(sys.executable).parent), *os.get_exec_path()]))
    python, apps = {"PATH": path}, {"APPS": str(demo_apps())}
    critical = f"{_TESTS} -v {' '.join(shipped.critical)}"
    steps = (
        StepSpec("Critical tests", StepKind.CHECK, critical, env=python),
        StepSpec("All tests", StepKind.CHECK, _TESTS, lanes=("release",), env=python),
        StepSpec("Regression test", StepKind.PROVE, _TESTS, lanes=("hotfix",), tests=("tests/**",), env=python),
        StepSpec("Archive", StepKind.BUILD, _ARCHIVE, artifact="app.tar.gz"),
        StepSpec("Unpack into a slot", StepKind.DEPLOY, _UNPACK, env=apps),
        StepSpec("Switch and restart", StepKind.DEPLOY, _SWITCH, env=apps),
        StepSpec("Answers with the new version", StepKind.VERIFY),
    )
    return PipelineSpec(Trigger.TAG, steps=tuple(replace(step, timeout=120.0, silence=60.0) for step in steps))


# --- when the demo is built -------------------------------------------------------------------------------------------


def shipping_make(project: Project) -> None:
    """Environments, ports and a pipeline for this project, all or none; what has any is left alone."""
    shipped = SHIPPED.get(project.name)
    if shipped is None or Environment.objects.filter(project=project).exists():
        return
    root = demo_apps()
    root.mkdir(parents=True, exist_ok=True)
    # Marked before the rows are there: a kill in between leaves a mark and nothing to do, never the other way round.
    (root / TO_SHIP).touch()
    package = next(entry.app.package for entry in CATALOGUE if entry.app.name == project.name)
    taken = {place.port for place in places(root)}
    with transaction.atomic():
        for kind in ENVIRONMENTS:
            place = Place(root / project.slug / kind["name"], port_choose(root, taken), package)
            taken.add(place.port)
            place.write()
            environment_add(
                project, **kind, **_address(place), probe_every=EVERY, settle_seconds=SETTLE, watch_seconds=0
            )
        pipeline_save(project, pipeline_spec(shipped), note="Runs on this machine")


def _address(place: Place) -> dict[str, Any]:
    probe = {"kind": "http-json", "url": f"{place.url}healthz", "path": "revision", "timeout": 2.0}
    return {"url": place.url, "probe": probe}


# --- after the start --------------------------------------------------------------------------------------------------


def shipping_first(carry_out: Callable[[int], Any], say: Callable[[str], None]) -> int:
    """Bring out every first release that is not out yet, and follow ports that moved; how many releases came out.

    `carry_out` does one run that is ready. Begun again after a kill, it goes on from what is there.
    """
    mark = demo_apps() / TO_SHIP
    begun = _made_at(mark)
    _follow_ports()
    count = 0
    for name, shipped in SHIPPED.items():
        project = Project.objects.filter(name=name, remote_url__startswith=str(demo_apps().parent)).first()
        if project is None or not Environment.objects.filter(project=project).exists():
            continue
        for first in shipped.first:
            count += _bring_out(project, first, carry_out, say)
            # The very first one is everybody's work, so nobody could approve it.
            for environment in Environment.objects.filter(project=project, kind="production", approvals=0):
                environment_save(environment, approvals=1)
        # What happens before anybody looks needs no watch.
        for environment in Environment.objects.filter(project=project, watch_seconds=0):
            environment_save(environment, watch_seconds=WATCH)
    if _made_at(mark) == begun:  # Otherwise another project was made meanwhile, and is still to be shipped.
        mark.unlink(missing_ok=True)
    return count


def _made_at(mark: Path) -> int:
    try:
        return mark.stat().st_mtime_ns
    except OSError:
        return 0


def _follow_ports() -> None:
    for place in places(demo_apps()):
        row = Environment.objects.filter(project__slug=place.folder.parent.name, name=place.folder.name).first()
        if row is not None and row.url != place.url:
            environment_save(row, **_address(place))


def _bring_out(project: Project, first: First, carry_out: Callable[[int], Any], say: Callable[[str], None]) -> bool:
    """One release on its whole way; False when it went before. Raises NotShipped when it does not get through."""
    release = Release.objects.filter(project=project, tag=first.tag, deleted_at=None).first()
    runs = Run.objects.filter(project=project, tag=first.tag).select_related(*RELATED).order_by("pk")
    at_the_end = runs.filter(environment__kind=Environment.Kind.PRODUCTION)
    if release is None or at_the_end.filter(**({"state": Run.State.DONE} if first.approved else {})).exists():
        return False
    say(f"{project.name} {first.tag} …")
    people, before = People(), runs.last()
    waits = not first.approved or people.lead is None
    environment = _next_place(project, first)
    deploy_request(environment, release, lane=first.lane, trigger="command", actor=people.engineer)
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        run = runs.filter(Q(state__in=_ACTIVE) | Q(state=Run.State.DONE, followed_at=None)).first()
        if run is None or (run.state == Run.State.ASKED and waits):
            break
        _move_on(run, people, carry_out)
    if bad := runs.filter(state__in=_BAD, pk__gt=before.pk if before else 0).last():
        raise NotShipped(f"{project.name}: {bad}: {bad.error_text}")
    if any(run.state != Run.State.ASKED for run in runs.filter(state__in=_ACTIVE)):
        raise NotShipped(f"{project.name}: {first.tag} is still under way after {PATIENCE:.0f} seconds.")
    return True


def _next_place(project: Project, first: First) -> Environment:
    """Where it begins; production, when it came through there before and failed on."""
    begins = Environment.objects.get(project=project, name=first.environment)
    there = Run.objects.filter(environment=begins, tag=first.tag, state=Run.State.DONE).exists()
    return Environment.objects.get(project=project, kind=Environment.Kind.PRODUCTION) if there else begins


def _move_on(run: Run, people: People, carry_out: Callable[[int], Any]) -> None:
    """The next thing that this run needs; a worker may do the same at the same time, and only one of both does it."""
    if run.state == Run.State.DONE:
        run_follow_up(run)
    elif run.state == Run.State.ASKED:
        approve(run, people.lead, "Looked at it, looks good.", binding=binding_of(run))
    elif run.state != Run.State.QUEUED or carry_out(run.pk) is None:
        time.sleep(0.2)


def shipping_remove() -> None:
    """Forget the applications' folders; the app host ends what ran there."""
    shutil.rmtree(demo_apps(), ignore_errors=True)
