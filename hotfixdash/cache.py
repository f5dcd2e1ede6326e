"""A cache that pages survive: when the broker is away, everything is simply not cached."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

from django.core.cache.backends.base import DEFAULT_TIMEOUT
from django.core.cache.backends.redis import RedisCache, RedisCacheClient
from redis.exceptions import RedisError

log = logging.getLogger(__name__)

PAUSE_SECONDS = 5.0
"""After a failure nobody asks again for this long, so that a hanging broker costs one wait and not one per page."""

_clients: dict[str, RedisCacheClient] = {}
"""By servers and options."""
_away_until: dict[str, float] = {}


class ForgivingRedisCache(RedisCache):
    """Reads miss and writes are dropped while the broker is away."""

    def __init__(self, server: Any, params: dict[str, Any]) -> None:
        options = params.setdefault("OPTIONS", {})
        options.setdefault("socket_connect_timeout", 1)
        options.setdefault("socket_timeout", 2)
        super().__init__(server, params)
        self._server, self._given = str(server), dict(options)
        self._place = f"{server} {options}"

    @property
    def _cache(self) -> RedisCacheClient:
        # Django makes a cache for each thread, and threads there are many: the lines to the broker are the process's.
        client = _clients.get(self._place)
        return client or _clients.setdefault(self._place, RedisCacheClient([self._server], **self._given))

    def _try(self, call: Callable[[], Any], otherwise: Any) -> Any:
        if time.monotonic() < _away_until.get(self._place, 0.0):
            return otherwise
        try:
            return call()
        except (RedisError, OSError) as problem:
            _away_until[self._place] = time.monotonic() + PAUSE_SECONDS
            log.warning("The cache does not answer; going on without it: %s", problem)
            return otherwise

    def add(self, key: Any, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> bool:
        return bool(self._try(lambda: super(ForgivingRedisCache, self).add(key, value, timeout, version), True))

    def get(self, key: Any, default: Any = None, version: int | None = None) -> Any:
        return self._try(lambda: super(ForgivingRedisCache, self).get(key, default, version), default)

    def set(self, key: Any, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> None:
        self._try(lambda: super(ForgivingRedisCache, self).set(key, value, timeout, version), None)

    def touch(self, key: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> bool:
        return bool(self._try(lambda: super(ForgivingRedisCache, self).touch(key, timeout, version), False))

    def delete(self, key: Any, version: int | None = None) -> bool:
        return bool(self._try(lambda: super(ForgivingRedisCache, self).delete(key, version), False))

    def get_many(self, keys: Any, version: int | None = None) -> dict[Any, Any]:
        return dict(self._try(lambda: super(ForgivingRedisCache, self).get_many(keys, version), {}))

    def set_many(self, data: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> list[Any]:
        return list(self._try(lambda: super(ForgivingRedisCache, self).set_many(data, timeout, version), []))

    def delete_many(self, keys: Any, version: int | None = None) -> None:
        self._try(lambda: super(ForgivingRedisCache, self).delete_many(keys, version), None)

    def has_key(self, key: Any, version: int | None = None) -> bool:
        return bool(self._try(lambda: super(ForgivingRedisCache, self).has_key(key, version), False))

    def incr(self, key: Any, delta: int = 1, version: int | None = None) -> int:
        return int(self._try(lambda: super(ForgivingRedisCache, self).incr(key, delta, version), delta))

    def clear(self) -> None:
        self._try(lambda: super(ForgivingRedisCache, self).clear(), None)
