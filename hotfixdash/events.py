"""The events stream: `/events?topics=project:3,overview` as a raw ASGI route.

One Redis subscription per process is fanned out to every open page. An event says only "this topic is at version N"
(`event: project:3`, `data: {"v": 12}`); the page then asks the ordinary view for its fragment, where permissions and
caching live. A topic may say what the page shows already (`project:3@11`), and `Last-Event-ID` says it after a broken
connection: only what differs is sent. The route checks session and permission itself, again and again while it lasts.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import random
import re
import signal
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.cookies import CookieError
from types import FrameType
from typing import Any
from urllib.parse import parse_qs

import redis.asyncio
from django.conf import settings
from django.http.cookie import parse_cookie
from redis.exceptions import RedisError

from releases.live import CHANNEL, RECENT_KEY, VERSION_KEY

from .permissions import Seen, seen_by

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

log = logging.getLogger(__name__)

HEARTBEAT = 15.0
"""Seconds of silence after which a comment shows that the line is alive."""
RECHECK = 30.0
"""Seconds between two looks at the session and the permissions behind a stream."""
PACE, LOG_PACE = 0.4, 0.75
"""Seconds between two pieces of news of one topic; the first is told at once, and of many the last one counts. Open
pages ask for new lines of a log every 0.8 seconds at most (static/js/log.js)."""
MOST_TOPICS = 50
MOST_CLIENTS = 12_000
MOST_PER_SESSION = 40
_TOPIC = re.compile(
    r"(overview|waiting|(?:project|run|incident|postmortem):[1-9][0-9]{0,17})(?:@([0-9]{1,18}))?", re.ASCII
)


@dataclass(eq=False, slots=True)
class Client:
    """One open page. What waits to be sent is one number per topic, so a slow page costs no more than that."""

    session_key: str
    known: dict[str, int]
    """Topic → the version that this page has."""
    may_act: bool = False
    """Whoever looks at it may do more than look."""
    waiting: dict[str, int] = field(default_factory=dict)
    wake: asyncio.Event = field(default_factory=asyncio.Event)

    def tell(self, topic: str, version: int) -> None:
        self.waiting[topic] = version
        self.wake.set()

    def take(self) -> str:
        """Everything that waits, as text of the stream; `id` holds all versions, for `Last-Event-ID`."""
        self.wake.clear()
        self.known.update(self.waiting)
        state = self.state()
        events = [
            f"event: {topic}\nid: {state}\ndata: {json.dumps({'v': version})}\n\n"
            for topic, version in self.waiting.items()
        ]
        self.waiting.clear()
        return "".join(events)

    def state(self) -> str:
        return ",".join(f"{topic}@{version}" for topic, version in self.known.items() if version >= 0)


class Hub:
    """The process's one subscription, and who listens to what."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.closing = asyncio.Event()
        self._told_at: dict[str, float] = {}
        self._held: dict[str, int] = {}
        """Topics whose next version waits until it may be told."""
        self.listeners: dict[str, set[Client]] = defaultdict(set)
        self.clients: set[Client] = set()
        self.sessions: dict[str, set[Client]] = defaultdict(set)
        self.checks = ThreadPoolExecutor(2, thread_name_prefix="events-check")
        self.redis = redis.asyncio.Redis.from_url(
            settings.REDIS_URL, socket_connect_timeout=2, health_check_interval=15, max_connections=20
        )
        self._pump: asyncio.Task[None] | None = None

    def add(self, client: Client) -> None:
        self.clients.add(client)
        self.sessions[client.session_key].add(client)
        for topic in client.known:
            self.listeners[topic].add(client)
        if self._pump is None:
            self._pump = asyncio.create_task(self._listen_for_ever())

    def remove(self, client: Client) -> None:
        self.clients.discard(client)
        self.sessions[client.session_key].discard(client)
        if not self.sessions[client.session_key]:
            del self.sessions[client.session_key]
        for topic in client.known:
            self.listeners[topic].discard(client)
            if not self.listeners[topic]:
                del self.listeners[topic]
                self._told_at.pop(topic, None)

    def of_session(self, session_key: str) -> int:
        return len(self.sessions.get(session_key, ())) if session_key else 0

    def follower(self, session_key: str, topic: str) -> Client | None:
        """An open page of this session that follows the topic, and so was allowed to within `RECHECK` seconds."""
        pages = self.sessions.get(session_key, ()) if session_key else ()
        return next((page for page in pages if topic in page.known), None)

    async def catch_up(self, client: Client) -> None:
        """Tell a page what it missed before it connected: topics whose version is another than it knows.

        A page that does not say what it knows was drawn a moment ago: only what changed a moment ago is told.
        """
        for topic, (version, recent) in (await self._versions(client.known)).items():
            if topic in client.waiting:
                continue  # The news came in meanwhile, and is newer than what was asked for.
            known = client.known[topic]
            client.known[topic] = version
            if recent if known < 0 else known != version:
                client.tell(topic, version)

    async def _versions(self, topics: Iterable[str]) -> dict[str, tuple[int, bool]]:
        """For each topic its version, and whether that is new; nothing while the broker is away."""
        names = list(topics)
        try:
            values = await self.redis.mget([key + name for name in names for key in (VERSION_KEY, RECENT_KEY)])
        except (RedisError, OSError):
            return {}
        return {name: (int(values[2 * i] or 0), values[2 * i + 1] is not None) for i, name in enumerate(names)}

    async def _listen_for_ever(self) -> None:
        pause, first = 0.2, True
        while not self.closing.is_set():
            try:
                async with self.redis.pubsub() as pubsub:
                    await pubsub.subscribe(CHANNEL)
                    while True:
                        message = await pubsub.get_message(timeout=10)
                        if message is None:
                            continue
                        if message["type"] == "message":
                            self._spread(message["data"].decode("utf-8", "replace"))
                            continue
                        # The line is open from here on, or again: what was published before is looked up.
                        await (self._catch_all_up() if first else self._refresh_all())
                        first, pause = False, 0.2
            except (RedisError, OSError) as error:
                log.warning("events: the broker is away (%s), trying again", error)
                first = False
                await asyncio.sleep(pause * random.uniform(0.7, 1.3))  # noqa: S311 - not a secret
                pause = min(pause * 2, 5.0)

    async def _catch_all_up(self) -> None:
        """Pages that connected before the first line was open have missed what was published in between."""
        for client in list(self.clients):
            await self.catch_up(client)

    async def _refresh_all(self) -> None:
        """What was published while the line was down is lost: let every page look again."""
        versions = await self._versions(list(self.listeners)) if self.listeners else {}
        for topic, clients in self.listeners.items():
            for client in clients:
                client.tell(topic, versions.get(topic, (0, False))[0])

    def _spread(self, message: str) -> None:
        topic, _, number = message.rpartition(" ")
        if not number.isdecimal() or topic not in self.listeners:
            return
        waiting = topic in self._held
        self._held[topic] = int(number)
        if not waiting:
            pace = LOG_PACE if topic.startswith("run:") else PACE
            self.loop.call_at(max(self._told_at.get(topic, 0.0) + pace, self.loop.time()), self._tell, topic)

    def _tell(self, topic: str) -> None:
        version = self._held.pop(topic)
        if topic in self.listeners:
            self._told_at[topic] = self.loop.time()
        for client in self.listeners.get(topic, ()):
            client.tell(topic, version)

    def close(self) -> None:
        """Every stream ends now; pages reconnect, to whichever process answers then."""
        self.closing.set()
        for client in self.clients:
            client.wake.set()

    async def aclose(self) -> None:
        self.close()
        while self._pump is not None and not self._pump.done():
            # Asked again: the broker's client has been seen to go on reading after it was told to stop.
            self._pump.cancel()
            await asyncio.wait([self._pump], timeout=0.5)
        await self.redis.aclose()
        self.checks.shutdown(wait=False)


_hub: Hub | None = None


def hub() -> Hub:
    """This process's hub; a new one when the event loop is another."""
    global _hub
    if _hub is None or _hub.loop is not asyncio.get_running_loop():
        _hub = Hub()
    return _hub


async def events(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer one request for the stream and stay until the page, the permission or the process goes."""
    if scope["method"] != "GET":
        return await _refuse(send, 405, "Use GET.", [(b"allow", b"GET")])
    wanted = _topics(parse_qs(scope["query_string"].decode("latin-1")).get("topics", [""])[0])
    if not wanted:
        return await _refuse(send, 400, "Name topics: /events?topics=overview,project:1")
    here, session_key = hub(), session_of(scope)
    if here.closing.is_set() or len(here.clients) >= MOST_CLIENTS or here.of_session(session_key) >= MOST_PER_SESSION:
        return await _refuse(send, 503, "Too many open pages.", [(b"retry-after", b"30")])
    allowed = await _allowed(here, session_key, wanted)
    if not allowed.topics:
        return await _refuse(send, 403, "Sign in to follow this.")
    known = {topic: wanted[topic] for topic in wanted if topic in allowed.topics}
    known |= {topic: seen for topic, seen in _topics(_header(scope, b"last-event-id")).items() if topic in known}
    await _stream(here, Client(session_key, known, allowed.may_act), receive, send)
    return None


async def _stream(here: Hub, client: Client, receive: Receive, send: Send) -> None:
    gone = asyncio.create_task(_until_gone(receive, client))
    here.add(client)
    try:
        await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
        # The pause before a page reconnects differs from page to page: a restart is no stampede.
        await _write(send, f"retry: {random.randint(1500, 4000)}\n: open\n\n")  # noqa: S311 - not a secret
        await here.catch_up(client)
        # An id without data is no event; it only says where to go on from after a broken connection.
        await _write(send, f"id: {client.state()}\n\n")
        await _follow(here, client, gone, send)
        with contextlib.suppress(OSError):
            await send({"type": "http.response.body", "body": b"", "more_body": False})
    finally:
        here.remove(client)
        gone.cancel()


async def _follow(here: Hub, client: Client, gone: asyncio.Task[None], send: Send) -> None:
    clock = here.loop.time
    recheck_at = clock() + RECHECK * random.uniform(0.7, 1.0)  # noqa: S311 - not a secret
    beat_at = clock() + HEARTBEAT
    while not (gone.done() or here.closing.is_set()):
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(client.wake.wait(), max(0.0, min(beat_at, recheck_at) - clock()))
        if gone.done() or here.closing.is_set():
            return
        if clock() >= recheck_at:
            seen = await _allowed(here, client.session_key, client.known)
            if seen.topics != set(client.known):
                return
            client.may_act = seen.may_act
            recheck_at = clock() + RECHECK
        text = client.take()
        if not text and clock() >= beat_at:
            text = ": still here\n\n"
        if text:
            await _write(send, text)
            beat_at = clock() + HEARTBEAT


async def _until_gone(receive: Receive, client: Client) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    client.wake.set()


_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
    (b"x-content-type-options", b"nosniff"),
]


async def _write(send: Send, text: str) -> None:
    await send({"type": "http.response.body", "body": text.encode(), "more_body": True})


async def _refuse(send: Send, status: int, sentence: str, headers: Iterable[tuple[bytes, bytes]] = ()) -> None:
    plain = [(b"content-type", b"text/plain; charset=utf-8"), (b"cache-control", b"no-store"), *headers]
    await send({"type": "http.response.start", "status": status, "headers": plain})
    await send({"type": "http.response.body", "body": f"{sentence}\n".encode()})


def _topics(text: str) -> dict[str, int]:
    """`project:3@12,overview` → {"project:3": 12, "overview": -1}; what cannot be a topic is left out.

    -1 stands for "the page does not say what it shows".
    """
    found = (_TOPIC.fullmatch(part.strip()) for part in text[:4000].split(",")[:MOST_TOPICS])
    return {match[1]: int(match[2]) if match[2] else -1 for match in found if match}


def _header(scope: Scope, name: bytes) -> str:
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), "")


def session_of(scope: Scope) -> str:
    """The key of the session that a request carries; empty without one."""
    with contextlib.suppress(CookieError):
        return parse_cookie(_header(scope, b"cookie")).get(settings.SESSION_COOKIE_NAME, "")
    return ""


async def _allowed(here: Hub, session_key: str, topics: Iterable[str]) -> Seen:
    return await here.loop.run_in_executor(here.checks, seen_by, session_key, tuple(topics))


async def lifespan(scope: Scope, receive: Receive, send: Send) -> None:
    """Start and end of the server: open streams are ended when it is told to stop, so that it need not wait."""
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            _end_streams_on_signal(hub())
            await send({"type": "lifespan.startup.complete"})
        elif message["type"] == "lifespan.shutdown":
            await hub().aclose()
            await send({"type": "lifespan.shutdown.complete"})
            return


def _end_streams_on_signal(here: Hub) -> None:
    """The server announces its shutdown only after the last response ended: listen to the signal itself."""
    for number in (signal.SIGTERM, signal.SIGINT):
        before = signal.getsignal(number)

        def stop(signum: int, frame: FrameType | None, before: Any = before) -> None:
            here.loop.call_soon_threadsafe(here.close)
            if callable(before):
                before(signum, frame)

        with contextlib.suppress(ValueError):  # Not in the main thread: whoever runs the loop there stops it.
            signal.signal(number, stop)
