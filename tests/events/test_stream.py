"""The events stream against a real web server and a real broker."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.sessions.models import Session

from releases import live
from releases.projects.models import Project, ProjectAccess
from tests.events.streams import Stream, open_stream
from tests.factories import make_project, make_user
from tests.plugins.real import Broker, Site, session_of

pytestmark = [pytest.mark.broker, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def streams(broker: Broker, site: Site) -> Iterator[Any]:
    opened: list[Stream] = []

    def connect(topics: str, user: Any = None, **more: Any) -> Stream:
        opened.append(open_stream(site.port, topics, user, **more))
        return opened[-1]

    yield connect
    for stream in opened:
        stream.close()


def test_what_changes_is_told_to_those_who_follow_it(streams: Any) -> None:
    shop, ledger = make_project(), make_project()
    user = make_user(projects=[shop, ledger])
    both = streams(f"project:{shop.pk},overview", user)
    other = streams(f"project:{ledger.pk}", user)
    assert (both.status, other.status) == (200, 200)
    started = time.monotonic()
    live.publish(live.project_topic(shop.pk), live.OVERVIEW)
    assert both.wait_for(f"project:{shop.pk}") == 1
    assert both.wait_for("overview") == 1
    assert time.monotonic() - started < 5
    assert other.wait_for(f"project:{shop.pk}", 0.3) is None
    assert 1000 <= both.retry <= 5000


def test_a_page_says_what_it_shows_and_hears_only_what_is_newer(streams: Any) -> None:
    project = make_project()
    user = make_user(projects=[project])
    topic = live.project_topic(project.pk)
    for _ in range(3):
        live.publish_now(topic)
    assert live.versions([topic, "overview"]) == {topic: 3, "overview": 0}
    assert streams(f"{topic}@3", user).wait_for(topic, 0.4) is None
    assert streams(f"{topic}@2", user).wait_for(topic) == 3


def test_after_a_broken_connection_the_browser_goes_on_from_its_last_event(streams: Any) -> None:
    project = make_project()
    user = make_user(projects=[project])
    topic = live.project_topic(project.pk)
    first = streams(f"{topic}@0", user)
    live.publish_now(topic)
    assert first.wait_for(topic) == 1
    first.close()
    assert streams(f"{topic}@0", user, last_id=first.last_id).wait_for(topic, 0.4) is None
    live.publish_now(topic)
    assert streams(f"{topic}@0", user, last_id=first.last_id).wait_for(topic) == 2


def test_a_change_between_drawing_and_connecting_is_not_missed(streams: Any, broker: Broker) -> None:
    project = make_project()
    user = make_user(projects=[project])
    topic = live.project_topic(project.pk)
    live.publish_now(topic)
    assert streams(topic, user).wait_for(topic) == 1
    # Long after it, a page that was drawn a moment ago shows it already.
    broker.client.delete(live.RECENT_KEY + topic)
    assert streams(topic, user).wait_for(topic, 0.4) is None


@pytest.mark.parametrize("topics", ["", "secret", "project:", "project:0", "project:1;drop", "user:1"])
def test_what_is_no_topic_is_refused(streams: Any, topics: str) -> None:
    assert streams(topics, make_user()).status == 400


def test_who_may_not_see_a_project_hears_nothing_of_it(streams: Any) -> None:
    mine, theirs = make_project(), make_project()
    user = make_user(projects=[mine])
    assert streams(f"project:{theirs.pk}", user).status == 403
    assert streams(f"project:{theirs.pk}").status == 403
    assert streams("overview").status == 403
    partly = streams(f"project:{mine.pk},project:{theirs.pk}", user)
    live.publish(live.project_topic(theirs.pk))
    live.publish(live.project_topic(mine.pk))
    assert partly.wait_for(f"project:{mine.pk}") == 1
    assert partly.wait_for(f"project:{theirs.pk}", 0.2) is None


def test_a_public_project_may_be_followed_by_visitors(streams: Any) -> None:
    project = make_project(visibility=Project.Visibility.PUBLIC)
    visitor = streams(f"project:{project.pk},overview")
    live.publish(live.project_topic(project.pk))
    assert visitor.wait_for(f"project:{project.pk}") == 1


def test_other_methods_are_refused(site: Site, broker: Broker) -> None:
    import urllib.error
    import urllib.request

    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{site.url}/events?topics=overview", data=b"x", timeout=5)
    assert refused.value.code == 405


def test_hundreds_of_changes_reach_a_page_that_does_not_read(streams: Any) -> None:
    project = make_project()
    topic = live.project_topic(project.pk)
    slow = streams(topic, make_user(projects=[project]))
    for _ in range(2000):
        live.publish_now(topic)
    last = 0
    while (version := slow.wait_for(topic, 1.0)) is not None:
        last = version
    assert last == 2000


def test_pages_hear_again_after_the_broker_was_killed(streams: Any, broker: Broker) -> None:
    project = make_project()
    topic = live.project_topic(project.pk)
    stream = streams(topic, make_user(projects=[project]))
    live.publish_now(topic)
    assert stream.wait_for(topic) == 1
    broker.kill()
    assert not live.publish_now(topic)
    broker.start()
    # What happened meanwhile is unknown: every page is told to look again.
    assert stream.wait_for(topic, 10) is not None
    assert live.publish_now(topic)
    assert stream.wait_for(topic, 5) is not None


@pytest.mark.long
def test_the_stream_of_a_session_that_ended_ends_within_a_minute(streams: Any) -> None:
    project = make_project()
    user = make_user(projects=[project])
    session = session_of(user)
    stream = streams(f"project:{project.pk}", session=session)
    kept = streams(f"project:{project.pk}", make_user(projects=[project]))
    Session.objects.filter(session_key=session).delete()
    assert stream.wait_end(60)
    assert not kept.ended
    assert kept.status == 200


@pytest.mark.long
def test_the_stream_of_somebody_who_lost_access_ends_within_a_minute(streams: Any) -> None:
    project = make_project()
    user = make_user(projects=[project])
    stream = streams(f"project:{project.pk}", user)
    ProjectAccess.objects.all().delete()
    assert stream.wait_end(60)


def test_the_server_stops_at_once_although_pages_are_open(streams: Any, site: Site) -> None:
    project = make_project()
    user = make_user(projects=[project])
    open_ones = [streams(f"project:{project.pk}", user) for _ in range(5)]
    assert {stream.status for stream in open_ones} == {200}
    process = site._process
    assert process is not None
    started = time.monotonic()
    os.kill(site.pid, signal.SIGTERM)
    process.wait(10)
    assert time.monotonic() - started < 5, "the graceful time-out had to end it"
    assert all(stream.wait_end(1) for stream in open_ones)
    site.kill()
