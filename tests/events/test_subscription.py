"""The one line to the broker: nothing that is published while it is opened, or opened again, is missed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import redis
from asgiref.sync import sync_to_async
from django.conf import settings

from hotfixdash.events import Client, Hub
from releases import live
from tests.loops import run_apart
from tests.plugins.real import Broker

pytestmark = pytest.mark.broker
TOPIC = "project:7"


async def told(client: Client, version: int) -> None:
    """Wait until the page knows of this version."""
    async with asyncio.timeout(5):
        while client.waiting.get(TOPIC, client.known[TOPIC]) < version:
            await asyncio.sleep(0.01)


def with_hub(story: Callable[[Hub, Client], Awaitable[None]]) -> None:
    async def run() -> None:
        here = Hub()
        try:
            await story(here, Client("", {TOPIC: 0}))
        finally:
            await here.aclose()

    run_apart(run())


def test_what_is_published_before_the_first_line_is_open_is_told(broker: Broker) -> None:
    async def story(here: Hub, client: Client) -> None:
        make = here.redis.pubsub

        def late(**options: Any) -> Any:
            line = make(**options)
            subscribe = line.subscribe

            async def after_the_news(*channels: str) -> None:
                await sync_to_async(live.publish_now)(TOPIC)
                await subscribe(*channels)

            line.subscribe = after_the_news
            return line

        here.redis.pubsub = late  # type: ignore[method-assign]
        here.add(client)
        await here.catch_up(client)
        await told(client, 1)

    with_hub(story)


def test_what_is_published_while_the_line_is_cut_is_told(broker: Broker) -> None:
    other = redis.Redis.from_url(settings.REDIS_URL)

    def cut_and_publish() -> None:
        assert other.execute_command("CLIENT", "KILL", "TYPE", "pubsub") >= 1
        live.publish_now(TOPIC)

    async def story(here: Hub, client: Client) -> None:
        here.add(client)
        await sync_to_async(live.publish_now)(TOPIC)
        await told(client, 1)
        await sync_to_async(cut_and_publish)()
        await told(client, 2)

    with_hub(story)


def test_of_much_news_the_first_is_told_at_once_and_the_last_in_a_moment(broker: Broker) -> None:
    async def story(here: Hub, client: Client) -> None:
        here.add(client)
        await sync_to_async(live.publish_now)(TOPIC)
        await told(client, 1)
        client.take()
        for _ in range(20):
            await sync_to_async(live.publish_now)(TOPIC)
        heard = []
        while client.known[TOPIC] < 21:
            await told(client, client.known[TOPIC] + 1)
            heard.append(client.take())
        assert len(heard) < 5, "news in quick succession is put together"

    with_hub(story)
