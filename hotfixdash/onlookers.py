"""Who looks at a run, for the routes beside Django."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from releases.live import run_topic

from .events import hub
from .permissions import seen_by

RECHECK = 15.0
"""Seconds for which an answer of the database counts."""
MOST = 20_000


@dataclass(frozen=True, slots=True)
class Onlooker:
    """Somebody who may see the run."""

    may_act: bool
    """They may do something to it, and see buttons of their own; most only watch."""


class Onlookers:
    """What this process knows of sessions and runs."""

    def __init__(self, work: ThreadPoolExecutor) -> None:
        self.loop = asyncio.get_running_loop()
        self.work = work
        self.known: OrderedDict[tuple[str, int], tuple[float, Onlooker]] = OrderedDict()
        """Session and run → until when it need not be asked again, and what was found."""

    async def find(self, session_key: str, run_pk: int) -> Onlooker | None:
        """None for whoever may not see the run. Open pages hold a stream, which is asked about again and again."""
        topic = run_topic(run_pk)
        if page := hub().follower(session_key, topic):
            return Onlooker(page.may_act)
        key, now = (session_key, run_pk), self.loop.time()
        until, found = self.known.get(key, (0.0, None))
        if until > now:
            return found
        fresh = await self.loop.run_in_executor(self.work, seen_by, session_key, (topic,))
        if topic not in fresh.topics:
            self.known.pop(key, None)
            return None
        onlooker = Onlooker(fresh.may_act)
        self.known[key] = (now + RECHECK, onlooker)
        while len(self.known) > MOST:
            self.known.popitem(last=False)
        return onlooker
