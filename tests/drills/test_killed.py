"""kill -9 while a drill is prepared: the next worker ends in the same drill, once, whatever was under way.

The worker is a process of its own that stops at one exact point (halting.py) and is killed there.
"""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from incidents.drills.models import Drill
from incidents.drills.preparing import drills_to_nudge
from incidents.drills.services import drill_start
from incidents.response.models import Incident
from releases.deploys.models import Environment, Run
from releases.deploys.moving import runs_lost
from releases.ledger.models import Event
from releases.policies import keeping_up
from releases.projects.models import Project
from tests.deploys.shop import until
from tests.drills.halting import POINTS
from tests.drills.playing import make_real, places, prepare
from tests.plugins.real import program_environment

pytestmark = pytest.mark.django_db(transaction=True)


def killed_at(point: str, drill: Drill, folder: Path) -> None:
    """Prepare the drill in a process of its own, which is killed when it reaches the point."""
    flag = folder / "reached"
    command = [sys.executable, "-W", "ignore", "-m", "tests.drills.halting", point, str(flag), str(drill.pk)]
    with open(folder / "log", "ab") as log:
        process = subprocess.Popen(
            command, env=program_environment(), stdout=log, stderr=log, start_new_session=True
        )  # fmt: skip
    try:
        until(lambda: flag.exists() or process.poll() is not None)
        assert flag.exists(), (folder / "log").read_text()
    finally:
        process.kill()
        process.wait()


QUICK = ("while copying", "while shipping")


@pytest.mark.sample(1)
@pytest.mark.parametrize(
    "point", [point if point in QUICK else pytest.param(point, marks=pytest.mark.long) for point in POINTS]
)
def test_wherever_a_worker_is_killed_the_next_one_goes_on(tmp_path: Path, point: str) -> None:
    real = make_real(tmp_path)
    before = real.refs()
    drill = drill_start(real.project, "conflict", real.fix)
    killed_at(point, drill, tmp_path)
    drill.refresh_from_db()
    assert drill.state == Drill.State.PREPARING
    # Its process is gone, which is seen at once on this machine; the sweep names what else it held.
    now = timezone.now()
    assert drills_to_nudge(now + timedelta(seconds=31)) == [drill.pk]
    runs_lost(now + timedelta(minutes=2))
    keeping_up.sweep()
    done = prepare(drill)
    assert (done.state, done.error) == (Drill.State.RUNNING, "")
    assert done.fence == 2
    assert Project.objects.drills().count() == 1
    assert Incident.objects.count() == 1
    production = [place for place in places(done) if place.kind == Environment.Kind.PRODUCTION]
    assert [place.live.tag for place in production if place.live] == ["v1.0.0"]
    assert Run.objects.filter(project=done.copy, environment__isnull=False).count() == 1
    assert Event.objects.filter(kind="drill.started").count() == 1
    assert real.refs() == before
