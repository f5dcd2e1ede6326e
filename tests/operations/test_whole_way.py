"""Asked for → carried out by a worker → fetched → judged → open page, with a real broker, worker and web server."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
from django.db import connection

from releases.ledger.models import Event
from releases.operations.models import Operation
from releases.policies.models import Verdict
from releases.projects.models import FetchRun
from releases.tasks import fetch_ask, operation_ask, operation_nudge, sweep_now
from tests.events.streams import open_stream
from tests.factories import make_operation, make_user
from tests.keeping_up.test_whole_way import hold, release, settled_down, until
from tests.plugins.real import Broker, Site, Worker

from .small import again, merges
from .stories import Story, make_story

pytestmark = [pytest.mark.broker, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def story(tmp_path: Path) -> Story:
    story = make_story(tmp_path, "merge-back")
    story.operation.delete()
    return story


def press(story: Story, user: object = None) -> tuple[Operation, bool]:
    """As the button does."""
    return operation_ask(
        story.project, story.kind, "merge-back:fix:develop", subject="hotfix:TICKET-1", params=story.params, actor=user
    )


def quiet(story: Story) -> bool:
    """Nothing of the project is queued or under way."""
    active = Operation.objects.filter(project=story.project, state__in=["queued", "running"])
    # In this order: what ends an operation queues a fetch in the same transaction.
    return not active.exists() and settled_down(story.project)


def done_once(story: Story, operation: Operation) -> None:
    assert again(operation).error_text == ""
    assert again(operation).state == "done"
    assert merges(story.repo) == 1
    assert Event.objects.filter(project=story.project, kind="operation.done").count() == 1
    assert Verdict.objects.get(project=story.project).owed is False


def test_from_the_button_to_a_settled_verdict_on_an_open_page(worker: Worker, site: Site, story: Story) -> None:
    user = make_user("mira", projects=[story.project])
    fetch_ask(story.project, "person")
    until(lambda: quiet(story))  # the worker has everything loaded now
    assert Verdict.objects.get().owed is True
    page = open_stream(site.port, f"project:{story.project.pk}@0", user)
    while page.wait_for(f"project:{story.project.pk}", 0.5) is not None:
        pass
    started = time.monotonic()
    operation, made = press(story, user)
    assert made
    while Verdict.objects.get().owed:
        assert page.wait_for(f"project:{story.project.pk}", 15) is not None
    took = time.monotonic() - started
    page.close()
    until(lambda: quiet(story))
    done_once(story, operation)
    # Two seconds on a machine of its own; here other tests run beside it.
    assert took < 6.0


def test_people_who_press_at_the_same_moment_share_one_operation(worker: Worker, story: Story) -> None:
    people = [make_user(projects=[story.project]) for _ in range(4)]
    ready = threading.Barrier(len(people))
    got: list[tuple[Operation, bool]] = []

    def one(user: object) -> None:
        try:
            ready.wait(10)
            got.append(press(story, user))
        finally:
            connection.close()

    threads = [threading.Thread(target=one, args=(user,)) for user in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len({operation.pk for operation, _made in got}) == 1
    assert sum(made for _operation, made in got) == 1
    until(lambda: quiet(story))
    done_once(story, got[0][0])


def test_a_task_delivered_three_times_to_two_processes_does_it_once(
    worker: Worker, broker: Broker, story: Story
) -> None:
    operation = make_operation(story.project, story.kind, params=story.params)
    for _ in range(3):
        assert operation_nudge(operation.pk)
    until(lambda: quiet(story) and broker.client.llen("git") == 0)
    assert again(operation).fence == 1
    done_once(story, operation)


def test_a_fetch_that_hangs_makes_it_wait_but_not_the_worker(worker: Worker, story: Story, tmp_path: Path) -> None:
    """One of the worker's two processes hangs in the fetch; the operation leaves the other one free again."""
    other = make_story(tmp_path / "other", "cut", "other")
    blocked = hold(story.repo)
    try:
        run = fetch_ask(story.project, "webhook")
        until(lambda: FetchRun.objects.filter(pk=run.pk, state="running").exists())
        operation, _made = press(story)
        until(lambda: again(operation).error_code == "busy")
        assert (again(operation).state, again(operation).step) == ("queued", "")
        assert operation_nudge(other.operation.pk)
        until(lambda: again(other.operation).state == "done")
        assert FetchRun.objects.get(pk=run.pk).state == "running"
    finally:
        release(story.repo, blocked)
    until(lambda: FetchRun.objects.get(pk=run.pk).state == "done")
    until(lambda: sweep_now() is not None and quiet(story))
    done_once(story, operation)


def test_a_broker_that_is_away_when_somebody_presses_is_made_up_for(
    worker: Worker, broker: Broker, story: Story
) -> None:
    broker.kill()
    operation, made = press(story)
    assert made
    assert again(operation).state == "queued"
    broker.start()
    Operation.objects.update(nudged_at=None)  # as if half a minute had passed
    until(lambda: sweep_now() is not None and quiet(story), 60)
    done_once(story, operation)
