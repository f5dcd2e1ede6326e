"""A small load generator: a fixed number of clients, each with one kept connection, one request after the other."""

from __future__ import annotations

import asyncio
import statistics
import time
from dataclasses import dataclass, field


@dataclass
class Load:
    """What one run measured."""

    seconds: float
    body_bytes: int = 0
    times: list[float] = field(default_factory=list)
    """Seconds from sending a request until its whole answer was there."""

    @property
    def per_second(self) -> float:
        return len(self.times) / self.seconds

    def percentile(self, percent: int) -> float:
        """Milliseconds."""
        return statistics.quantiles(self.times, n=100, method="inclusive")[percent - 1] * 1000


class BadAnswer(Exception):
    """Anything but a 200: a figure about error pages would be worth nothing."""


async def _answer(reader: asyncio.StreamReader) -> int:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    status, *lines = head.split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    length = int(headers.get("content-length", 0))
    body = await reader.readexactly(length)
    if status.split()[1] != "200":
        raise BadAnswer(f"{status}: {body[:300]!r}")
    return length


async def _client(port: int, request: bytes, until: float, load: Load) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        while time.perf_counter() < until:
            began = time.perf_counter()
            writer.write(request)
            load.body_bytes = await _answer(reader)
            load.times.append(time.perf_counter() - began)
    finally:
        writer.close()


async def _run(port: int, request: bytes, clients: int, seconds: float) -> Load:
    load = Load(seconds)
    until = time.perf_counter() + seconds
    await asyncio.gather(*(_client(port, request, until, load) for _ in range(clients)))
    return load


def measure(port: int, path: str, cookie: str, *, clients: int, seconds: float) -> Load:
    """Ask for `path` as the person of that session. Raises `BadAnswer`."""
    request = (
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: sessionid={cookie}\r\nAccept: text/html\r\n"
        f"Accept-Encoding: identity\r\nConnection: keep-alive\r\n\r\n"
    ).encode()
    return asyncio.run(_run(port, request, clients, seconds))
