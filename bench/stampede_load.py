"""The stampede's load: watchers as browsers behave, and a hammer that asks as fast as it can. Loopback only.

A watcher visits the page (those of the burst with what the page links to; the others were there before, and have that
for good), then asks again every `every` seconds or so with the tag of the copy that it has, by the connection that it
has as long as the server keeps it. `python bench/stampede_load.py` reads its orders as a line of JSON, tells `ready`,
runs until its time is up or its input ends, and writes what it saw.
"""

from __future__ import annotations

import asyncio
import gc
import gzip
import json
import random
import re
import resource
import select
import socket
import sys
import time
from array import array
from dataclasses import dataclass, field
from typing import Any

GIVE_UP = 10.0
"""Seconds after which an answer counts as an error."""
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_TAG = re.compile(rb"\r\netag: *([^\r]+)", re.IGNORECASE)
_MARK = re.compile(rb"bench-update-(\d+)")
_LINKED = re.compile(rb"""(?:href|src)=["'](/static/[^"']+\.(?:css|js|svg)[^"']*)["']""")
PAGE, POLL, PART = 0.0, 1.0, 2.0
"""Kinds of requests: a first visit, asking again, what a page links to."""


@dataclass
class Seen:
    """What all watchers of this process saw."""

    answers: array[float] = field(default_factory=lambda: array("d"))
    """When asked (by the machine's clock), seconds until the whole answer was there, kind, status; four for each."""
    late: array[float] = field(default_factory=lambda: array("d"))
    """When asked, and how much later than planned: how far this process itself was behind."""
    faults: list[tuple[float, str]] = field(default_factory=list)
    first: dict[int, list[float]] = field(default_factory=dict)
    """By number of the update, when each watcher first had it or a later one."""
    marks: dict[bytes, int] = field(default_factory=dict)
    links: list[str] = field(default_factory=list)


class Watcher(asyncio.Protocol):
    """One open page."""

    def __init__(self, port: int, path: str, every: float, jitter: float, seen: Seen, *, parts: bool) -> None:
        self.port, self.path, self.every, self.jitter, self.seen, self.parts = port, path, every, jitter, seen, parts
        self.transport: asyncio.Transport | None = None
        self.tag = b""
        self.newest = -1
        self._data = bytearray()
        self._needed = 0
        self._asks: list[tuple[str, float]] = []
        self._began = 0.0
        self._fresh = False
        self._limit: asyncio.TimerHandle | None = None

    def visit(self, due: float) -> None:
        self._asks = [(self.path, PAGE)]
        self._begin(due)

    def poll(self, due: float) -> None:
        if not self._asks:
            self._asks = [(self.path, POLL)]
            self._begin(due)

    def _begin(self, due: float) -> None:
        loop = asyncio.get_running_loop()
        self.seen.late.extend((time.time(), max(0.0, loop.time() - due)))
        self._ask()

    def _ask(self) -> None:
        self._began = time.time()
        self._limit = asyncio.get_running_loop().call_later(GIVE_UP, self._failed, "no answer in time")
        if self.transport is not None and not self.transport.is_closing():
            self._fresh = False
            self._send()
        else:
            self._fresh = True
            task = asyncio.get_running_loop().create_task(self._connect())
            task.add_done_callback(lambda done: done.exception())

    async def _connect(self) -> None:
        try:
            await asyncio.get_running_loop().create_connection(lambda: self, "127.0.0.1", self.port)
        except OSError as problem:
            self._failed(f"no connection: {problem.strerror or problem}")

    def _send(self) -> None:
        path, kind = self._asks[0]
        known = f"If-None-Match: {self.tag.decode()}\r\n" if kind == POLL and self.tag else ""
        head = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nAccept-Encoding: gzip\r\n{known}\r\n"
        assert self.transport is not None
        self._data.clear()
        self._needed = 0
        self.transport.write(head.encode())

    # --- as the event loop calls it ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        if self._asks:
            self._send()

    def connection_lost(self, problem: Exception | None) -> None:
        self.transport = None
        if not self._asks or self._limit is None:
            return
        if not self._fresh and not self._data:
            # The server let go of a kept connection as we asked: browsers then open another one.
            self._limit.cancel()
            began = self._began
            self._ask()
            self._began = began
            return
        self._failed("the connection ended early")

    def data_received(self, data: bytes) -> None:
        self._data += data
        if not self._needed:
            end = self._data.find(b"\r\n\r\n")
            if end < 0:
                return
            length = _LENGTH.search(self._data, 0, end)
            self._needed = end + 4 + (int(length[1]) if length else 0)
        if len(self._data) >= self._needed and self._asks:
            self._answered()

    def _answered(self) -> None:
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None
        now, status = time.time(), int(self._data[9:12])
        _, kind = self._asks.pop(0)
        self.seen.answers.extend((self._began, now - self._began, kind, float(status)))
        if status not in (200, 304):
            self.seen.faults.append((now, f"status {status}"))
        elif kind != PART:
            self._read(now, status, kind)
        if b"\r\nConnection: close" in self._data[:1000] and self.transport is not None:
            self.transport.close()
            self.transport = None
        if self._asks:
            self._ask()

    def _read(self, now: float, status: int, kind: float) -> None:
        """Which update this copy has; its first visitor looks into it, the others go by its tag."""
        if status == 200:
            head = self._data.find(b"\r\n\r\n")
            tag = _TAG.search(self._data, 0, head)
            self.tag = tag[1] if tag else b""
            if self.tag not in self.seen.marks:
                body = bytes(self._data[head + 4 :])
                html = gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body
                self.seen.marks[self.tag] = max((int(n) for n in _MARK.findall(html)), default=-1)
                self.seen.links = self.seen.links or list(dict.fromkeys(m.decode() for m in _LINKED.findall(html)))
        newest = self.seen.marks.get(self.tag, -1)
        # Who has just come did not wait for it.
        for number in range(self.newest + 1, newest + 1) if kind == POLL else ():
            self.seen.first.setdefault(number, []).append(now)
        self.newest = max(self.newest, newest)
        if kind == PAGE and self.parts:
            self._asks += [(link, PART) for link in self.seen.links]

    def _failed(self, why: str) -> None:
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None
        if self._asks:
            self.seen.faults.append((time.time(), why))
            self._asks.clear()
        if self.transport is not None:
            self.transport.abort()
            self.transport = None


async def watch(orders: dict[str, Any], seen: Seen) -> None:
    """All watchers of this process, until the time is up."""
    loop = asyncio.get_running_loop()
    dice = random.Random(orders["seed"])
    over = loop.time() + orders["seconds"]

    def follow(watcher: Watcher, due: float) -> None:
        if due < over:
            watcher.poll(due)
            later = due + watcher.every + dice.uniform(-watcher.jitter, watcher.jitter)
            loop.call_at(later, follow, watcher, later)

    def arrive(spread: float, *, parts: bool) -> None:
        watcher = Watcher(orders["port"], orders["path"], orders["every"], orders["jitter"], seen, parts=parts)
        due = loop.time() + dice.uniform(0, spread)
        again = due + watcher.every + dice.uniform(-watcher.jitter, watcher.jitter)
        loop.call_at(due, watcher.visit, due)
        loop.call_at(again, follow, watcher, again)

    for _ in range(orders["watchers"]):
        arrive(orders["every"], parts=False)
    print("ready", flush=True)
    reader = loop.run_in_executor(None, sys.stdin.readline)
    while loop.time() < over:
        done, _ = await asyncio.wait([reader], timeout=max(0.0, over - loop.time()))
        if not done:
            break
        line = reader.result()
        if not line:
            return
        if line.startswith("end"):
            return
        for _ in range(int(line.split()[1])):
            arrive(float(line.split()[2]), parts=True)
        reader = loop.run_in_executor(None, sys.stdin.readline)


def hammer(port: int, request: bytes, connections: int, seconds: float) -> tuple[float, list[float]]:
    """Requests a second, and the seconds that each took, with this many kept connections, each asking all the time.

    Raises ConnectionError for anything but 200 or 304.
    """
    poll, opened, times = select.epoll(), {}, []
    for _ in range(connections):
        one = socket.create_connection(("127.0.0.1", port))
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        poll.register(one.fileno(), select.EPOLLIN)
        opened[one.fileno()] = [one, bytearray(), time.perf_counter()]
        one.sendall(request)
    began = time.perf_counter()
    while time.perf_counter() < began + (seconds if times else GIVE_UP):
        for number, _ in poll.poll(1):
            one, data, asked = opened[number]
            data += one.recv(262144)
            end = data.find(b"\r\n\r\n")
            length = _LENGTH.search(data, 0, end) if end >= 0 else None
            if end < 0 or len(data) < end + 4 + (int(length[1]) if length else 0):
                continue
            if data[9:12] not in (b"200", b"304"):
                raise ConnectionError(bytes(data[:200]))
            now = time.perf_counter()
            times.append(now - asked)
            opened[number][2] = now
            data.clear()
            one.sendall(request)
    spent = time.perf_counter() - began
    if not times:
        raise ConnectionError("not one answer; the machine has no time for it")
    for one, *_ in opened.values():
        one.close()
    return len(times) / spent, times


def main() -> None:
    orders = json.loads(sys.stdin.readline())
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    seen = Seen()
    gc.disable()
    began = time.monotonic()
    loop = asyncio.new_event_loop()
    loop.run_until_complete(watch(orders, seen))
    spent = time.process_time() / (time.monotonic() - began)
    with open(orders["file"], "wb") as out:
        out.write(json.dumps({"cpu": spent, "faults": seen.faults, "first": seen.first,
                              "answers": len(seen.answers), "late": len(seen.late)}).encode() + b"\n")  # fmt: skip
        seen.answers.tofile(out)
        seen.late.tofile(out)
    sys.stdout.flush()
    # A thread may still wait for a line.
    import os

    os._exit(0)


if __name__ == "__main__":
    main()
