"""Who may follow what: a run's log is followed by those who see its project, and by nobody else."""

from __future__ import annotations

import pytest

from hotfixdash.permissions import seen_by
from tests.factories import make_environment, make_project, make_shipment, make_user
from tests.plugins.real import session_of

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_run_s_topic_is_for_those_who_see_its_project() -> None:
    shop, other = make_project("shop"), make_project("other")
    run, hidden = make_shipment(make_environment(shop)), make_shipment(make_environment(other))
    session = session_of(make_user("ada", "viewer", projects=[shop]))
    assert seen_by(session, ("waiting",)).topics == {"waiting"}
    asked = (f"run:{run.pk}", f"run:{hidden.pk}", "run:999999", f"project:{shop.pk}", f"project:{other.pk}", "overview")
    assert seen_by(session, asked).topics == {f"run:{run.pk}", f"project:{shop.pk}", "overview"}


def test_a_session_that_ended_follows_nothing() -> None:
    run = make_shipment(make_environment(make_project("shop")))
    assert seen_by("", (f"run:{run.pk}",)).topics == set()
    assert seen_by("no-such-session", (f"run:{run.pk}", "overview", "waiting")).topics == set()
