"""Two at the same moment, by real threads with connections of their own: one outcome, told once, on every database."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from releases.deploys.approving import approve, break_glass, reject, runs_expire, runs_void_stale, withdraw
from releases.deploys.binding import binding_of
from releases.deploys.errors import DeployRefused
from releases.deploys.models import Approval, Environment, FollowUp, Run
from releases.deploys.moving import run_claim
from releases.deploys.voices import quorum
from releases.ledger.models import Event
from releases.projects.models import Release
from tests.factories import make_environment, sha

from .asking import Shop, make_shop

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.races]
ROUNDS = 6
"""So often each race is run: who comes first changes."""
WHY = "Card payments are declined everywhere."


def at_once(*works: Callable[[], Any]) -> list[Any]:
    """Run each in a thread of its own, all begun together: what each gave, or how it was refused."""
    start = threading.Barrier(len(works))
    found: list[Any] = [None] * len(works)

    def one(number: int, work: Callable[[], Any]) -> None:
        try:
            start.wait(10)
            found[number] = work()
        except BaseException as error:
            found[number] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=one, args=pair) for pair in enumerate(works)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    wrong = [each for each in found if isinstance(each, BaseException) and not isinstance(each, DeployRefused)]
    assert wrong == [], wrong
    return found


def worked(outcome: Any) -> bool:
    return not isinstance(outcome, DeployRefused)


def told(run: Run, kind: str) -> int:
    return Event.objects.filter(subject=f"run:{run.pk}", kind=kind).count()


def move(release: Release) -> list[Run]:
    """The tag comes to name another commit, as a fetch finds it; what that voids."""
    Release.objects.filter(pk=release.pk).update(commit=sha("elsewhere"))
    return runs_void_stale(release.project)


def requests(shop: Shop) -> Sequence[Run]:
    """One request for each round, each in an environment of its own."""
    hours = {"approvals": shop.place.approvals}
    places = [make_environment(shop.project, f"place-{number}", **hours) for number in range(ROUNDS)]
    return [shop.request(place=place) for place in places]


def test_two_last_approvals_queue_it_once(tmp_path: Path, settings: Any) -> None:
    shop = make_shop(tmp_path, settings, 2)
    people = [shop.person() for _ in range(2)]
    for run in requests(shop):
        shown = binding_of(run)
        outcomes = at_once(*(partial(approve, run, person, binding=shown) for person in people))
        assert all(worked(outcome) for outcome in outcomes), outcomes
        row = Run.objects.get(pk=run.pk)
        assert (row.state, len(quorum(row).given)) == (Run.State.QUEUED, 2)
        assert (told(run, "run.approved"), told(run, "approval.given")) == (1, 2)


def test_of_many_who_press_at_once_only_those_count_who_were_needed(tmp_path: Path, settings: Any) -> None:
    shop = make_shop(tmp_path, settings, 1)
    people = [shop.person() for _ in range(4)]
    for run in requests(shop):
        shown = binding_of(run)
        outcomes = at_once(*(partial(approve, run, person, binding=shown) for person in people))
        assert sum(map(worked, outcomes)) == 1
        assert {outcome.code for outcome in outcomes if not worked(outcome)} == {"over"}
        assert Approval.objects.filter(run=run).count() == told(run, "run.approved") == 1


def test_one_person_who_presses_twice_is_one_voice(tmp_path: Path, settings: Any) -> None:
    shop = make_shop(tmp_path, settings, 2)
    person = shop.person()
    for run in requests(shop):
        shown = binding_of(run)
        outcomes = at_once(*[partial(approve, run, person, binding=shown)] * 3)
        assert sum(map(worked, outcomes)) == 1
        assert Run.objects.get(pk=run.pk).state == Run.State.ASKED
        assert Approval.objects.filter(run=run).count() == told(run, "approval.given") == 1


def test_a_yes_and_a_no_leave_one_of_them(tmp_path: Path, settings: Any) -> None:
    shop = make_shop(tmp_path, settings, 1)
    first, second = shop.person(), shop.person()
    for run in requests(shop):
        shown = binding_of(run)
        yes, no = at_once(
            partial(approve, run, first, binding=shown), partial(reject, run, second, "Not now.", binding=shown)
        )
        assert worked(yes) != worked(no)
        expected = Run.State.QUEUED if worked(yes) else Run.State.REJECTED
        assert Run.objects.get(pk=run.pk).state == expected
        assert Approval.objects.filter(run=run).count() == 1


def test_the_last_approval_against_one_that_is_taken_back(tmp_path: Path, settings: Any) -> None:
    shop = make_shop(tmp_path, settings, 2)
    first, second = shop.person(), shop.person()
    for run in requests(shop):
        shown = binding_of(run)
        approve(run, first, binding=shown)
        yes, back = at_once(partial(approve, run, second, binding=shown), partial(withdraw, run, first))
        assert worked(yes)
        assert worked(back)
        row = Run.objects.get(pk=run.pk)
        assert (row.state, [voice.person for voice in quorum(row).given]) == (Run.State.ASKED, [second])
        assert (row.approved_at, row.queued_at) == (None, None)


def test_what_is_taken_back_does_not_start_and_what_starts_is_not_taken_back(tmp_path: Path, settings: Any) -> None:
    shop = make_shop(tmp_path, settings, 1)
    person = shop.person()
    for run in requests(shop):
        approve(run, person, binding=binding_of(run))
        taken, back = at_once(partial(run_claim, run.pk, "worker"), partial(withdraw, run, person))
        row = Run.objects.get(pk=run.pk)
        assert (taken is not None) != worked(back)
        assert row.state == (Run.State.RUNNING if taken is not None else Run.State.ASKED)
        assert len(quorum(row).given) == (1 if taken is not None else 0)
        Run.objects.filter(pk=run.pk).update(state="cancelled")


@pytest.mark.long
def test_an_approval_against_a_tag_that_moves(tmp_path: Path, settings: Any) -> None:
    shop = make_shop(tmp_path, settings, 1)
    person = shop.person()
    release = shop.release("v1.0.1")
    commit = release.commit
    for run in requests(shop):
        Release.objects.filter(pk=release.pk).update(commit=commit)
        run = shop.request(place=run.environment) if Run.objects.get(pk=run.pk).state == "void" else run
        shown = binding_of(run)
        _, moved = at_once(partial(approve, run, person, binding=shown), partial(move, release))
        row = Run.objects.get(pk=run.pk)
        assert row.state == Run.State.VOID
        assert run in moved
        assert told(run, "run.void") == 1
        assert run_claim(run.pk, "worker") is None


def test_what_a_moved_tag_overtakes_ships_what_was_approved_or_nothing(tmp_path: Path, settings: Any) -> None:
    shop = make_shop(tmp_path, settings, 1)
    person = shop.person()
    release = shop.release("v1.0.1")
    for run in requests(shop):
        Release.objects.filter(pk=release.pk).update(commit=run.commit)
        if Run.objects.get(pk=run.pk).state == Run.State.VOID:
            run = shop.request(place=run.environment)
        approve(run, person, binding=binding_of(run))
        taken, _ = at_once(partial(run_claim, run.pk, "worker"), partial(move, release))
        row = Run.objects.get(pk=run.pk)
        assert row.state == (Run.State.RUNNING if taken is not None else Run.State.VOID)
        if taken is not None:
            assert taken.commit == Approval.objects.get(run=run).binding["commit"] != sha("elsewhere")
        Run.objects.filter(pk=run.pk).update(state="cancelled")


def test_an_approval_against_its_expiry(tmp_path: Path, settings: Any) -> None:
    shop = make_shop(tmp_path, settings, 1)
    person = shop.person()
    for run in requests(shop):
        now = timezone.now()
        Run.objects.filter(pk=run.pk).update(expires_at=now + timedelta(minutes=5))
        shown = binding_of(run)
        yes, _ = at_once(
            partial(approve, run, person, binding=shown), partial(runs_expire, now + timedelta(minutes=6))
        )  # fmt: skip
        row = Run.objects.get(pk=run.pk)
        assert row.state == (Run.State.QUEUED if worked(yes) else Run.State.EXPIRED)
        assert told(run, "run.expired") == (0 if worked(yes) else 1)
        assert Approval.objects.filter(run=run).count() == (1 if worked(yes) else 0)


def test_the_glass_breaks_once(tmp_path: Path, settings: Any) -> None:
    shop = make_shop(tmp_path, settings, 2)
    people = [shop.person("administrator") for _ in range(3)]
    for run in requests(shop):
        outcomes = at_once(*(partial(break_glass, run, person, WHY) for person in people))
        assert sum(map(worked, outcomes)) == 1
        assert FollowUp.objects.filter(run=run).count() == told(run, "run.glass-broken") == 1


def test_two_for_one_environment_start_one_after_the_other(tmp_path: Path, settings: Any) -> None:
    shop = make_shop(tmp_path, settings, 1)
    shop.repo.commit({"b.py": "b\n"}, "Another", author="jonas")
    shop.repo.tag("v1.0.2", message="Version 1.0.2")
    runs = [shop.request(tag) for tag in ("v1.0.1", "v1.0.2")]
    person = shop.person()
    for run in runs:
        approve(run, person, binding=binding_of(run))
    taken = at_once(*(partial(run_claim, run.pk, "worker") for run in [*runs, *runs]))
    assert sum(found is not None for found in taken) == 1
    states = sorted(Run.objects.filter(pk__in=[run.pk for run in runs]).values_list("state", flat=True))
    assert states == ["queued", "running"]
    assert Environment.objects.get(pk=shop.place.pk).runs.filter(state="running").count() == 1
