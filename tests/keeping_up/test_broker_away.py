"""Who asks for a look at a remote never waits for a broker that is away or hangs: the sweep sends it later."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest
from django.conf import settings
from django.test import Client

from releases import live
from releases.projects.models import FetchRun
from releases.tasks import fetch_nudge
from tests.factories import make_project, make_run, make_user
from tests.plugins.real import Broker, Site, Worker

pytestmark = [pytest.mark.broker, pytest.mark.django_db(transaction=True)]


class DeadBroker:
    """Stands where the broker should: takes connections and drops them, or never says a word."""

    def __init__(self, *, silent: bool) -> None:
        self.silent, self.calls, self._kept = silent, 0, list[socket.socket]()
        self._socket = socket.socket(socket.AF_UNIX)
        settings.BROKER_SOCKET.unlink(missing_ok=True)
        self._socket.bind(str(settings.BROKER_SOCKET))
        self._socket.listen(64)
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                caller, _ = self._socket.accept()
            except OSError:
                return
            self.calls += 1
            if self.silent:
                self._kept.append(caller)
            else:
                caller.close()

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        for one in (self._socket, *self._kept):
            one.close()
        settings.BROKER_SOCKET.unlink(missing_ok=True)


@pytest.fixture(params=[False, True], ids=["drops", "silent"])
def dead(
    request: pytest.FixtureRequest, broker: Broker, worker_process: Worker, site_process: Site,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[DeadBroker]:  # fmt: skip
    worker_process.stop()  # Those that serve other tests would call at the stand-in, too.
    site_process.stop()
    broker.kill()
    monkeypatch.setattr(live, "_hung", {"until": 0.0})
    monkeypatch.setattr("celery.app.task.Task.apply_async", _must_not_be_asked)
    monkeypatch.setattr("celery.Celery.send_task", _must_not_be_asked)
    stand_in = DeadBroker(silent=request.param)
    yield stand_in
    stand_in.close()


def _must_not_be_asked(*args: object, **options: object) -> None:
    pytest.fail("Celery was asked to send to a broker that does not answer")


def test_a_nudge_tries_once_and_leaves_the_rest_to_the_sweep(dead: DeadBroker) -> None:
    run = make_run(make_project("shop"))
    assert fetch_nudge(run.pk) is False
    assert dead.calls == 1
    run.refresh_from_db()
    assert run.state == FetchRun.State.QUEUED


def test_checking_every_project_waits_for_a_broker_that_hangs_once(dead: DeadBroker, client: Client) -> None:
    client.force_login(make_user("eng", role="engineer", all_projects=True))
    projects = [make_project() for _ in range(5)]
    assert client.post("/check/").status_code == 302
    assert FetchRun.objects.filter(project__in=projects, state="queued").count() == 5
    if dead.silent:
        assert dead.calls == 1
