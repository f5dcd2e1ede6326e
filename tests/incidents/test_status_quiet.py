"""A status page that hardly anybody watches: whoever asks is told what is there now, not one question later."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from incidents.response.services import incident_declare
from incidents.status import copies as room
from incidents.status.services import page_save
from tests.factories import make_project

pytestmark = pytest.mark.django_db(transaction=True)


def test_who_asks_after_a_quiet_time_gets_what_is_there_now(
    settings: Any, tmp_path: Path, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.DATA_DIR = tmp_path
    monkeypatch.setattr(room, "QUIET", 1.0)
    monkeypatch.setattr(room, "PATIENCE", 30.0)
    project = make_project("shop")
    page_save("shop", "Shop", "public", [project])
    assert b"Everything is working" in client.get("/status/shop/").content
    incident_declare(project, "Payments fail")
    time.sleep(1.1)
    assert b"Payments fail" in client.get("/status/shop/").content
