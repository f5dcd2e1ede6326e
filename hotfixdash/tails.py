"""The ends of logs, for hundreds of open pages: `/projects/<slug>/deploys/<run>/log/?after=<line>` as a raw ASGI route.

Each page that shows a growing log asks about once in a second for what came since. Here a process reads and renders
each new line once, however many pages ask, and looks at a session's permission now and then. Whatever is not a plain
question by somebody who may see the run goes on to Django's view of the same address, which answers all the rest.
"""

from __future__ import annotations

import asyncio
import re
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from .events import Scope, Send, session_of
from .held import held_connection
from .onlookers import Onlookers

PAUSE = 0.1
"""Seconds between two looks at one run's rows."""
MOST_RUNS = 50
_PATH = re.compile(r"/projects/([A-Za-z0-9_-]+)/deploys/([1-9][0-9]{0,17})/log/", re.ASCII)
_AFTER = re.compile(r"[0-9]{1,9}", re.ASCII)
_HEADERS = [
    (b"content-type", b"text/html; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
]


@dataclass(slots=True)
class Tail:
    """The last lines of one run, each rendered once."""

    total: int = 0
    read_at: float = -1.0
    """When the last look at its rows began."""
    rows: OrderedDict[int, str] = field(default_factory=OrderedDict)
    """Number → list item, of the last lines only."""
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Tails:
    """What this process knows of logs and of who may see them."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.work = ThreadPoolExecutor(2, thread_name_prefix="log-tails")
        self.runs: OrderedDict[int, Tail] = OrderedDict()
        self.onlookers = Onlookers(self.work)

    async def since(self, slug: str, run_pk: int, after: int) -> tuple[int, str]:
        """Number of the last line, and list items of those after `after`."""
        from releases.views.deploy_log import FRESH, gap

        tail = self.runs.setdefault(run_pk, Tail())
        self.runs.move_to_end(run_pk)
        while len(self.runs) > MOST_RUNS:
            self.runs.popitem(last=False)
        asked_at = self.loop.time()
        async with tail.lock:
            # Only rows that were read after the question count: what it was told of must be among them. Whoever asks in
            # the meantime waits for the same look.
            if tail.read_at < asked_at:
                await asyncio.sleep(max(0.0, tail.read_at + PAUSE - self.loop.time()))
                tail.read_at = self.loop.time()
                await self.loop.run_in_executor(self.work, read, run_pk, tail)
            first = max(after + 1, tail.total - FRESH + 1)
            shown = (tail.rows.get(number, "") for number in range(first, tail.total + 1))
            return tail.total, gap(slug, run_pk, after, first) + "".join(shown)


def read(run_pk: int, tail: Tail) -> None:
    """Bring a tail up to date with the rows."""
    from releases.deploys.models import Run, Step
    from releases.views.deploy_log import FRESH
    from releases.views.logs import reading

    with held_connection():
        total = Run.objects.filter(pk=run_pk).values_list("log_lines", flat=True).first() or 0
        if total == tail.total:
            return
        first = max(tail.total + 1, total - FRESH + 1) if total > tail.total else 1
        steps = Step.objects.filter(run=run_pk, first_line__gte=first).only("name", "first_line")
        tail.rows.update(reading.numbered(reading.lines_between(run_pk, first, total), reading.heads_of(steps)))
        tail.total = total
        while len(tail.rows) > FRESH:
            tail.rows.popitem(last=False)


_tails: Tails | None = None


def tails() -> Tails:
    """This process's; new ones when the event loop is another."""
    global _tails
    if _tails is None or _tails.loop is not asyncio.get_running_loop():
        _tails = Tails()
    return _tails


def is_meant(scope: Scope) -> bool:
    return scope["method"] == "GET" and _PATH.fullmatch(scope["path"]) is not None


async def tail(scope: Scope, send: Send) -> bool:
    """Answer, or give False when Django has to."""
    found = _PATH.fullmatch(scope["path"])
    after = parse_qs(scope["query_string"].decode("latin-1")).get("after", [""])[0]
    session_key = session_of(scope)
    if found is None or not session_key or not _AFTER.fullmatch(after):
        return False
    here, run_pk = tails(), int(found[2])
    if await here.onlookers.find(session_key, run_pk) is None:
        return False
    last, body = await here.since(found[1], run_pk, int(after))
    await _answer(send, last, body if last > int(after) else "")
    return True


async def _answer(send: Send, last: int, body: str) -> None:
    headers: list[Any] = [*_HEADERS, (b"x-log-last", str(last).encode())]
    await send({"type": "http.response.start", "status": 200 if body else 204, "headers": headers})
    await send({"type": "http.response.body", "body": body.encode()})
