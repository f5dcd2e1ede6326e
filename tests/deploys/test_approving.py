"""Yes and no to a deployment: who, to what exactly, until when."""

from __future__ import annotations

import pytest

from releases.deploys.approving import approve
from releases.deploys.binding import binding_key, binding_of
from releases.deploys.gates import holds
from releases.deploys.models import Run
from releases.ledger.models import Event
from tests.factories import make_user

from .asking import make_place, make_request

pytestmark = pytest.mark.django_db


def test_the_last_approval_queues_it_and_says_who_gave_it() -> None:
    place = make_place(2)
    run = make_request(place)
    first, second = (make_user(role="release-manager", projects=[place.project]) for _ in range(2))
    assert run.state == Run.State.ASKED
    approve(run, first, binding=binding_of(run))
    run.refresh_from_db()
    assert run.state == Run.State.ASKED
    approve(run, second, "Looked at it.", binding=binding_key(binding_of(run)))
    run.refresh_from_db()
    assert (run.state, run.approved_at is not None, run.queued_at is not None) == (Run.State.QUEUED, True, True)
    assert holds(run) == []
    told = list(Event.objects.filter(subject=f"run:{run.pk}").order_by("pk").values_list("kind", flat=True))
    assert told == ["run.asked", "approval.given", "approval.given", "run.approved"]
