"""What beat writes down while there is no broker: a line for each task, and stacks only for what nobody planned."""

from __future__ import annotations

from pathlib import Path

import pytest
from celery import Celery
from celery.beat import ScheduleEntry, Scheduler


def sent(app: Celery, task: str) -> None:
    scheduler = Scheduler(app, lazy=True)
    scheduler.apply_entry(ScheduleEntry(name=task, task=task, schedule=60, app=app))


def test_broker_that_is_away_is_told_in_a_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with Celery(broker=f"redis+socket://{tmp_path}/away.sock", set_as_current=False) as app:
        app.conf.broker_transport_options = {"max_retries": 0}
        sent(app, "some.task")
    (line,) = caplog.records
    assert "The broker is away" in line.getMessage()
    assert "away.sock" in line.getMessage()
    assert line.exc_info is None
    assert "\n" not in line.getMessage()


def test_any_other_error_keeps_its_stack(caplog: pytest.LogCaptureFixture) -> None:
    with Celery(broker="no-such-transport://", set_as_current=False) as app:
        sent(app, "some.task")
    (line,) = caplog.records
    assert line.exc_info
    assert "some.task" in line.getMessage()
