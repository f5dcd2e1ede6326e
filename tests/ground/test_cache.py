"""Pages survive a broker that is away: nothing is cached then, and nobody waits for long."""

from __future__ import annotations

import time
from typing import Any

import pytest
from django.conf import settings

from hotfixdash.cache import ForgivingRedisCache
from tests.plugins.real import Broker


def make_cache(url: str = "") -> ForgivingRedisCache:
    return ForgivingRedisCache(url or settings.REDIS_URL, {})


@pytest.mark.broker
def test_it_caches(broker: Broker) -> None:
    cache = make_cache()
    cache.set("a", {"b": [1]}, 30)
    cache.set_many({"c": 1, "d": 2}, 30)
    assert cache.get("a") == {"b": [1]}
    assert cache.get_many(["c", "d", "e"]) == {"c": 1, "d": 2}
    assert cache.has_key("c")
    assert cache.add("c", 5) is False
    assert cache.incr("d") == 3
    assert cache.delete("a") is True
    assert cache.get("a", "gone") == "gone"


def test_away_is_a_miss_for_every_call() -> None:
    cache = make_cache("unix:///nowhere/at/all.sock")
    answers: list[Any] = [
        cache.get("a", "default"), cache.get_many(["a"]), cache.has_key("a"), cache.delete("a"), cache.touch("a"),
        cache.set_many({"a": 1}), cache.incr("a", 2),
    ]  # fmt: skip
    assert answers == ["default", {}, False, False, False, [], 2]
    assert cache.add("a", 1) is True
    cache.set("a", 1)
    cache.clear()


@pytest.mark.broker
def test_it_comes_back_after_the_pause(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hotfixdash.cache.PAUSE_SECONDS", 0.2)
    cache = make_cache()
    cache.set("a", 1)
    broker.kill()
    assert cache.get("a") is None
    broker.start()
    time.sleep(0.25)
    cache.set("a", 2)
    assert cache.get("a") == 2
