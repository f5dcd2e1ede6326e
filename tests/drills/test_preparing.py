"""Preparing a drill: one at a time, begun by people, gone on with by the next worker wherever one was killed."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from incidents.drills import preparing
from incidents.drills.copying import drill_folder
from incidents.drills.errors import DrillError
from incidents.drills.models import Drill
from incidents.drills.preparing import MOST_ATTEMPTS, drill_prepare, drills_to_nudge
from incidents.drills.removing import drill_remove, orphans_remove
from incidents.drills.services import drill_cancel, drill_end, drill_hint, drill_start
from incidents.response.models import Incident
from incidents.tasks import drills_look
from releases.deploys.models import Environment
from releases.ledger.models import Event
from releases.projects.models import Project
from releases.tasks import fetch_carry_out, run_carry_out_here
from tests.drills.playing import Real, make_drill, make_real, places, prepare
from tests.factories import make_environment, make_user

pytestmark = pytest.mark.django_db


class Killed(BaseException):
    """The worker is gone from one line to the next."""


@pytest.fixture
def real(tmp_path: Path) -> Real:
    return make_real(tmp_path)


def asked(real: Real) -> Drill:
    return drill_start(real.project, "replay", real.fix, make_user("lea", "release-manager", all_projects=True))


def test_it_begins_with_the_release_before_the_fix(real: Real) -> None:
    make_environment(real.project, "staging")
    approver = make_user("rob", "release-manager", all_projects=True)
    place = make_environment(real.project, "production", kind="production", approvals=2)
    place.approvers.add(approver)
    drill = prepare(asked(real))
    assert (drill.state, drill.error) == (Drill.State.RUNNING, "")
    assert drill.copy is not None
    assert drill.copy.drill_of == real.project
    assert drill.copy.policy == real.project.policy
    assert drill.copy.production_release is not None
    assert drill.copy.production_release.tag == "v1.0.0"
    staging, production = places(drill)
    assert production.live is not None
    assert (production.live.tag, production.approvals) == ("v1.0.0", 2)
    assert list(production.approvers.all()) == [approver]
    assert staging.live is None
    incident = drill.incidents.get()
    assert (incident.key, incident.public, incident.project) == ("DRILL-1", False, drill.copy)
    kinds = list(Event.objects.filter(subject=f"drill:{drill.pk}").order_by("pk").values_list("kind", flat=True))
    assert kinds == ["drill.asked", "drill.started"]


POINTS = ("_plan", "copy_make", "_track", "_read", "sandbox_make", "_ship", "_begin")


@pytest.mark.sample(3)
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("point", POINTS)
def test_a_killed_worker_is_taken_over(real: Real, monkeypatch: pytest.MonkeyPatch, point: str, after: bool) -> None:
    drill = asked(real)
    whole = getattr(preparing, point)

    def dies(*args: Any, **options: Any) -> Any:
        if after:
            whole(*args, **options)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(preparing, point, dies)
        with pytest.raises(Killed):
            prepare(drill)
    drill.refresh_from_db()
    if (point, after) == ("_begin", True):
        assert drill.state == Drill.State.RUNNING
        return
    assert drill.state == Drill.State.PREPARING
    assert drills_to_nudge(timezone.now()) == []  # It gave a sign of life a moment ago.
    assert drill_prepare(drill.pk, "another", fetch_carry_out, run_carry_out_here) is None
    later = timezone.now() - timedelta(minutes=5)
    Drill.objects.filter(pk=drill.pk).update(heartbeat_at=later, nudged_at=later)
    assert drills_to_nudge(timezone.now()) == [drill.pk]
    done = prepare(drill)
    assert (done.state, done.error) == (Drill.State.RUNNING, "")
    assert Project.objects.drills().count() == 1
    assert done.incidents.count() == 1
    assert all(place.live for place in places(done) if place.kind == Environment.Kind.PRODUCTION)


def test_a_drill_that_kills_its_workers_is_given_up(real: Real) -> None:
    drill = asked(real)
    later = timezone.now() - timedelta(minutes=5)
    Drill.objects.filter(pk=drill.pk).update(fence=MOST_ATTEMPTS, heartbeat_at=later)
    assert drills_to_nudge(timezone.now()) == []
    drill.refresh_from_db()
    assert drill.state == Drill.State.FAILED
    assert "lost 3 times" in drill.error
    assert drill_start(real.project, "replay", real.fix).pk != drill.pk


def test_a_worker_that_wakes_up_late_writes_nothing(real: Real, monkeypatch: pytest.MonkeyPatch) -> None:
    drill = asked(real)
    whole = preparing.copy_make

    def overtaken(*args: Any) -> None:
        whole(*args)
        Drill.objects.filter(pk=drill.pk).update(fence=7, worker="another")

    monkeypatch.setattr(preparing, "copy_make", overtaken)
    done = prepare(drill)
    assert (done.state, done.copy, done.worker) == (Drill.State.PREPARING, None, "another")
    assert not Project.objects.drills().exists()


def test_what_cannot_be_done_is_a_sentence(real: Real, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(*_: Any) -> None:
        raise DrillError("fix", "Choose another one.", "old")

    monkeypatch.setattr(preparing, "plan_copy", refuses)
    done = prepare(asked(real))
    assert (done.state, done.error) == (Drill.State.FAILED, "Choose another one.")
    assert done.remove_at is not None
    assert Event.objects.filter(kind="drill.failed").count() == 1


def test_a_full_disk_is_a_sentence_and_leaves_no_folder(real: Real, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(preparing, "copy_make", full)
    done = prepare(asked(real))
    assert "No space left" in done.error
    assert drill_remove(done)
    assert not drill_folder(done).exists()


def test_one_drill_of_a_project_at_a_time(real: Real) -> None:
    drill = asked(real)
    with pytest.raises(DrillError, match="under way already"):
        drill_start(real.project, "replay", real.fix)
    with pytest.raises(IntegrityError), transaction.atomic():
        Drill.objects.create(project=real.project, scenario="replay")
    drill_cancel(drill)
    drill.refresh_from_db()
    assert drill.state == Drill.State.FAILED
    assert drill_start(real.project, "conflict", real.fix).is_open


def test_what_is_called_off_while_it_is_prepared_stays_so(real: Real, monkeypatch: pytest.MonkeyPatch) -> None:
    drill = asked(real)
    whole = preparing.copy_make

    def meanwhile(*args: Any) -> None:
        whole(*args)
        drill_cancel(drill)

    monkeypatch.setattr(preparing, "copy_make", meanwhile)
    done = prepare(drill)
    assert (done.state, done.error) == (Drill.State.FAILED, "It was called off.")
    assert drill_remove(done)
    assert not drill_folder(done).exists()


@pytest.mark.parametrize("scenario", ["", "earthquake"])
def test_unknown_scenarios_and_fixes_are_refused(real: Real, scenario: str) -> None:
    with pytest.raises(DrillError):
        drill_start(real.project, scenario, real.fix)
    with pytest.raises(DrillError, match="past hotfixes"):
        drill_start(real.project, "replay", None)


@pytest.mark.long
def test_a_drill_is_not_drilled(real: Real) -> None:
    drill = make_drill(real)
    assert drill.copy is not None
    with pytest.raises(DrillError, match="drill already"):
        drill_start(drill.copy, "replay", real.fix)


@pytest.mark.long
def test_what_is_over_is_not_ended_again(real: Real) -> None:
    lead = make_user("lea", "release-manager", all_projects=True)
    drill = make_drill(real, actor=lead)
    drill_end(drill, "", lead)
    drill.refresh_from_db()
    for again in (drill_end, drill_hint, drill_cancel):
        with pytest.raises(DrillError):
            again(drill)


def test_a_drill_that_runs_is_not_removed(real: Real) -> None:
    drill = make_drill(real)
    assert not drill_remove(drill)
    assert drill_folder(drill).exists()


def test_a_project_goes_with_its_drills_and_their_files(
    real: Real, settings: Any, django_capture_on_commit_callbacks: Any
) -> None:
    from releases.projects.services import project_delete
    from releases.projects.services.mirrors import mirror_folder

    drill = make_drill(real)
    assert drill.copy is not None
    mirrors, folder = [mirror_folder(drill.copy), mirror_folder(real.project)], drill_folder(drill)
    with django_capture_on_commit_callbacks(execute=True):
        project_delete(real.project)
    assert not Drill.objects.exists()
    assert not Project.objects.exists()
    assert not Incident.objects.exists()
    assert not any(path.exists() for path in mirrors)
    orphans_remove()
    assert folder.exists()  # It may be a moment old, and its row not yet committed.
    import os

    os.utime(folder, (1, 1))
    drills_look(timezone.now())
    assert not folder.exists()
