"""One answer for a crowd: the part of a run's page around its log, asked for by hundreds when the run's state changes.

Of those who may do nothing to the run and only watch, everybody sees the same. The first who asks is answered by
Django's view; whoever asked before that answer was begun gets a copy of it. So nobody sees less than what was true when
they asked, and a change of state costs a few answers instead of one for each open page. People who may act see buttons
of their own: their questions, and all that is not a plain answer, go to Django one by one.
"""

from __future__ import annotations

import asyncio
import re
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

from .events import Scope, Send, session_of
from .tails import tails

PAUSE = 0.1
"""Seconds between two answers to the same crowd."""
MOST_CROWDS = 100
_PATH = re.compile(r"/projects/[A-Za-z0-9_-]+/deploys/([1-9][0-9]{0,17})/", re.ASCII)
_PERSONAL = (b"set-cookie",)


@dataclass(slots=True)
class Answer:
    """What a view gave, as messages that can be sent again."""

    begun_at: float
    messages: list[dict[str, Any]] = field(default_factory=list)

    @property
    def is_plain(self) -> bool:
        """It is whole, a success, and holds nothing for one person alone."""
        if not self.messages or self.messages[-1].get("more_body") or self.messages[0].get("status") != 200:
            return False
        return not any(name.lower() in _PERSONAL for name, _ in self.messages[0]["headers"])


@dataclass(slots=True)
class Crowd:
    """Those who see the same."""

    answer: Answer | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Crowds:
    """What this process answered of late."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.known: OrderedDict[tuple[Any, ...], Crowd] = OrderedDict()

    def of(self, scope: Scope) -> Crowd:
        """Those who ask for this address, with browsers that take the same encodings."""
        headers = dict(scope["headers"])
        key = (scope["scheme"], headers.get(b"host"), scope["path"], headers.get(b"accept-encoding"))
        crowd = self.known.setdefault(key, Crowd())
        self.known.move_to_end(key)
        while len(self.known) > MOST_CROWDS:
            self.known.popitem(last=False)
        return crowd


_crowds: Crowds | None = None


def crowds() -> Crowds:
    """This process's; new ones when the event loop is another."""
    global _crowds
    if _crowds is None or _crowds.loop is not asyncio.get_running_loop():
        _crowds = Crowds()
    return _crowds


def is_meant(scope: Scope) -> bool:
    headers = dict(scope["headers"])
    asks_for_part = headers.get(b"hx-target") == b"run" and not scope["query_string"]
    return scope["method"] == "GET" and asks_for_part and _PATH.fullmatch(scope["path"]) is not None


async def part(pages: Any, scope: Scope, send: Send) -> bool:
    """Answer with a part of the page, or give False when Django has to answer this person alone."""
    found, session_key = _PATH.fullmatch(scope["path"]), session_of(scope)
    if found is None or not session_key:
        return False
    who = await tails().onlookers.find(session_key, int(found[1]))
    if who is None or who.may_act:
        return False
    here = crowds()
    crowd, asked_at = here.of(scope), here.loop.time()
    async with crowd.lock:
        if crowd.answer is None or crowd.answer.begun_at < asked_at:
            last = crowd.answer.begun_at if crowd.answer else 0.0
            await asyncio.sleep(max(0.0, last + PAUSE - here.loop.time()))
            crowd.answer = await _asked(pages, scope, here.loop.time())
        answer = crowd.answer
    if not answer.is_plain:
        return False
    for message in answer.messages:
        await send(message)
    return True


async def _asked(pages: Any, scope: Scope, now: float) -> Answer:
    """Django's answer. It is made to its end, even when the one who asked first has gone."""
    answer = Answer(now)
    bodies = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> dict[str, Any]:
        if bodies:
            return bodies.pop()
        return await asyncio.get_running_loop().create_future()  # type: ignore[no-any-return]

    async def keep(message: dict[str, Any]) -> None:
        answer.messages.append(message)

    await pages(scope, receive, keep)
    return answer
