"""`/healthz` and `/readyz` tell machines the truth, and nothing else."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client

from hotfixdash import health, heartbeat
from tests.plugins.real import Broker

pytestmark = pytest.mark.django_db


def ready(client: Client) -> tuple[int, dict[str, Any]]:
    answer = client.get("/readyz")
    return answer.status_code, json.loads(answer.content)


def show_worker(broker: Broker, *queues: str) -> None:
    import time

    data = {"worker": "w@here", "queues": list(queues), "at": time.time()}
    broker.client.set(f"{heartbeat.PREFIX}{'-'.join(queues)}", json.dumps(data), ex=30)


def forget_workers(broker: Broker) -> None:
    for key in broker.client.keys(f"{heartbeat.PREFIX}*"):
        broker.client.delete(key)


def test_alive_needs_nobody(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "connection", None)
    answer = client.get("/healthz", headers={"host": "any.name.example"}, secure=False)
    assert answer.status_code == 200
    assert "no-store" in answer["Cache-Control"]


@pytest.mark.parametrize("address", ["/healthz", "/readyz"])
def test_probes_are_not_sent_elsewhere_behind_tls(client: Client, settings: Any, address: str) -> None:
    settings.SECURE_SSL_REDIRECT = True
    assert client.get(address, headers={"host": "127.0.0.1:8000"}).status_code in {200, 503}
    assert client.post(address).status_code == 405


@pytest.mark.broker
def test_ready_when_all_answer(client: Client, broker: Broker) -> None:
    forget_workers(broker)
    show_worker(broker, "default")
    show_worker(broker, "git", "deploy")
    status, said = ready(client)
    assert status == 200
    assert said["status"] == "ready"
    assert all(said[part]["ok"] for part in ("database", "broker", "worker"))


@pytest.mark.broker
def test_missing_worker_is_named_by_its_queue(client: Client, broker: Broker) -> None:
    forget_workers(broker)
    show_worker(broker, "default")
    status, said = ready(client)
    assert status == 503
    assert said["broker"]["ok"]
    assert not said["worker"]["ok"]
    assert "git" in said["worker"]["says"]
    assert "default" not in said["worker"]["says"]


@pytest.mark.broker
def test_broker_away(client: Client, broker: Broker) -> None:
    broker.kill()
    status, said = ready(client)
    assert status == 503
    assert said["database"]["ok"]
    assert not said["broker"]["ok"]
    assert not said["worker"]["ok"]


def test_database_away_and_its_words_stay_inside(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    class Gone:
        vendor = "gone"

        def cursor(self) -> None:
            raise OperationalError("password authentication failed for user hotfixdash at 10.0.0.5")

    monkeypatch.setattr(health, "connection", Gone())
    status, said = ready(client)
    assert status == 503
    assert not said["database"]["ok"]
    assert "10.0.0.5" not in json.dumps(said)


def test_an_answer_that_is_not_ready_is_no_error_in_the_log(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    assert ready(client)[0] == 503
    assert [record for record in caplog.records if record.name == "django.request"] == []
    logging.getLogger("django.request").error("Internal Server Error", extra={"status_code": 500})
    assert [record.levelname for record in caplog.records if record.name == "django.request"] == ["ERROR"]
