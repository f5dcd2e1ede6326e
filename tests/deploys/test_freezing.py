"""Windows without deployments: dated and weekly, on the wall clock of the environment."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from releases.deploys.errors import DeployRefused
from releases.deploys.freezing import freeze_add, freeze_end, freeze_now, freeze_says, next_freeze, windows
from releases.deploys.models import Environment, Freeze
from releases.ledger.models import Event
from tests.factories import make_environment, make_project

pytestmark = pytest.mark.django_db
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture
def place() -> Environment:
    return make_environment(make_project(), time_zone="Europe/Berlin")


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_a_dated_window_holds_from_its_begin_until_just_before_its_end(place: Environment) -> None:
    starts, ends = utc("2026-12-23T12:00"), utc("2027-01-04T06:00")
    freeze_add(place, "Holidays", starts_at=starts, ends_at=ends)
    moment = timedelta(microseconds=1)
    assert freeze_now(place, starts - moment) is None
    assert next_freeze(place, starts - moment) == freeze_now(place, starts)
    for now in (starts, utc("2026-12-31T00:00"), ends - moment):
        window = freeze_now(place, now)
        assert window is not None
        assert (window.starts, window.ends, window.why) == (starts, ends, "Holidays")
    assert freeze_now(place, ends) is None
    assert next_freeze(place, ends) is None


def test_a_weekly_window_goes_over_midnight(place: Environment) -> None:
    freeze_add(place, "Weekend", weekdays=[4], from_time=time(16), until_time=time(8))
    friday = local("2026-11-27T16:00")
    assert freeze_now(place, friday - timedelta(seconds=1)) is None
    for now in (friday, local("2026-11-27T23:59"), local("2026-11-28T07:59:59")):
        window = freeze_now(place, now)
        assert window is not None
        assert window.ends == local("2026-11-28T08:00")
    assert freeze_now(place, local("2026-11-28T08:00")) is None
    coming = next_freeze(place, local("2026-11-28T08:00"))
    assert coming is not None
    assert coming.starts == local("2026-12-04T16:00")


def test_days_in_a_row_are_one_window(place: Environment) -> None:
    freeze_add(place, "Friday evening", weekdays=[4], from_time=time(16), until_time=time(0))
    freeze_add(place, "Weekend", weekdays=[5, 6])
    window = freeze_now(place, local("2026-11-27T18:00"))
    assert window is not None
    assert (window.starts, window.ends) == (local("2026-11-27T16:00"), local("2026-11-30T00:00"))
    assert window.why == "Friday evening; Weekend"
    assert [freeze_says(row) for row in place.freezes.order_by("pk")] == [
        "Friday 16:00–00:00", "Saturday, Sunday all day",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("day", "starts", "ends"),
    [
        ("2026-03-27", "2026-03-27T15:00", "2026-03-28T07:00"),  # the night before the clocks change: UTC+1
        ("2026-03-28", "2026-03-28T15:00", "2026-03-29T06:00"),  # over the change: the morning is UTC+2
        ("2026-03-29", "2026-03-29T14:00", "2026-03-30T06:00"),
        ("2026-10-24", "2026-10-24T14:00", "2026-10-25T07:00"),  # an hour longer
        ("2026-10-25", "2026-10-25T15:00", "2026-10-26T07:00"),
    ],
)
def test_a_window_keeps_to_the_wall_clock_when_the_clocks_change(
    place: Environment, day: str, starts: str, ends: str
) -> None:
    begins = datetime.fromisoformat(day)
    freeze_add(place, "Night", weekdays=[begins.weekday()], from_time=time(16), until_time=time(8))
    window = freeze_now(place, local(f"{day}T20:00"))
    assert window is not None
    assert (window.starts, window.ends) == (utc(starts), utc(ends))


def test_an_hour_that_does_not_happen_begins_when_the_clocks_jump(place: Environment) -> None:
    freeze_add(place, "Upkeep", weekdays=[6], from_time=time(2, 30), until_time=time(5))
    window = freeze_now(place, utc("2026-03-29T01:30"))  # 03:30 there; 02:30 never was
    assert window is not None
    assert (window.starts, window.ends) == (utc("2026-03-29T01:00"), utc("2026-03-29T03:00"))


def test_a_window_within_the_hour_that_does_not_happen_is_none(place: Environment) -> None:
    freeze_add(place, "Upkeep", weekdays=[6], from_time=time(2, 10), until_time=time(2, 50))
    day = windows(place, utc("2026-03-29T00:00"), utc("2026-03-29T12:00"))
    assert day == []
    assert len(windows(place, utc("2026-03-22T00:00"), utc("2026-03-22T12:00"))) == 1


def test_an_hour_that_happens_twice_is_frozen_both_times(place: Environment) -> None:
    freeze_add(place, "Upkeep", weekdays=[6], from_time=time(2), until_time=time(2, 30))
    window = freeze_now(place, utc("2026-10-25T01:15"))  # the second 02:15
    assert window is not None
    assert (window.starts, window.ends) == (utc("2026-10-25T00:00"), utc("2026-10-25T01:30"))


def test_without_a_zone_of_its_own_the_dashboards_counts(place: Environment, settings: Any) -> None:
    settings.TIME_ZONE = "America/New_York"
    place.time_zone = ""
    freeze_add(place, "Monday morning", weekdays=[0], from_time=time(8), until_time=time(9))
    window = freeze_now(place, utc("2026-11-23T13:30"))
    assert window is not None
    assert window.starts == utc("2026-11-23T13:00")


def test_ending_a_window_opens_the_environment_and_is_told(place: Environment) -> None:
    now = utc("2026-11-25T12:00")
    begun = freeze_add(place, "Sale", starts_at=now - timedelta(days=1), ends_at=now + timedelta(days=1))
    coming = freeze_add(place, "Holidays", starts_at=now + timedelta(days=7), ends_at=now + timedelta(days=9))
    weekly = freeze_add(place, "Weekend", weekdays=[2])
    for freeze in (begun, coming, weekly):
        freeze_end(freeze, now=now)
    assert freeze_now(place, now) is None
    assert [(row.why, row.ends_at) for row in Freeze.objects.all()] == [("Sale", now)]
    assert Event.objects.filter(kind="environment.freeze-ended").count() == 3
    freeze_end(begun, now=now + timedelta(hours=1))
    assert Event.objects.filter(kind="environment.freeze-ended").count() == 3


@pytest.mark.parametrize(
    "fields",
    [
        {"why": ""},
        {"why": "x"},
        {"why": "x", "starts_at": utc("2026-01-02T00:00"), "ends_at": utc("2026-01-01T00:00")},
        {"why": "x", "starts_at": utc("2026-01-02T00:00")},
        {"why": "x", "weekdays": [7]},
        {"why": "x", "weekdays": [0], "starts_at": utc("2026-01-02T00:00"), "ends_at": utc("2026-01-03T00:00")},
    ],
)
def test_a_window_that_means_nothing_is_refused(place: Environment, fields: dict[str, Any]) -> None:
    with pytest.raises(DeployRefused):
        freeze_add(place, **fields)
    assert not Freeze.objects.exists()
