"""A client of the events stream that needs nothing but a socket."""

from __future__ import annotations

import json
import socket
import time
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings

from tests.plugins.real import session_of


@dataclass
class Stream:
    """One open `/events`; `wait_for(topic)` gives the version that an event told, or None in time."""

    connection: socket.socket
    status: int = 0
    buffer: bytes = b""
    last_id: str = ""
    retry: int = 0
    comments: int = 0
    events: list[tuple[str, int]] = field(default_factory=list)
    ended: bool = False

    def read(self, seconds: float) -> None:
        """Read what comes within this time; less when something came."""
        self.connection.settimeout(max(seconds, 0.001))
        try:
            got = self.connection.recv(65536)
        except TimeoutError:
            return
        except OSError:
            got = b""
        self.ended = self.ended or not got
        self.buffer += got
        self._parse()

    def _parse(self) -> None:
        if not self.status and b"\r\n\r\n" in self.buffer:
            head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
            self.status = int(head.split()[1])
        while self.status and b"\n\n" in self.buffer:
            block, _, self.buffer = self.buffer.partition(b"\n\n")
            self._block([line for line in block.decode().splitlines() if ":" in line])

    def _block(self, lines: list[str]) -> None:
        name, version = "", None
        for line in lines:
            key, _, value = line.partition(":")
            value = value.strip()
            self.comments += key == ""
            if key == "event":
                name = value
            elif key == "id":
                self.last_id = value
            elif key == "retry":
                self.retry = int(value)
            elif key == "data":
                version = json.loads(value)["v"]
        if version is not None:
            self.events.append((name, version))

    def wait_for(self, topic: str, seconds: float = 5.0) -> int | None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for i, (name, version) in enumerate(self.events):
                if name == topic:
                    del self.events[: i + 1]
                    return version
            if self.ended:
                return None
            self.read(deadline - time.monotonic())
        return None

    def wait_open(self, seconds: float = 5.0) -> Stream:
        """Until the first line of the stream, or the refusal, is there."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not (self.comments or self.ended or self.status >= 400):
            self.read(deadline - time.monotonic())
        # The id line follows at once; after it, nothing that is published can be missed.
        while time.monotonic() < deadline and self.status == 200 and not self.last_id and not self.ended:
            self.read(0.05)
            if self.comments and not self.buffer:
                break
        return self

    def wait_end(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not self.ended:
            self.read(min(0.5, deadline - time.monotonic()))
        return self.ended

    def close(self) -> None:
        self.connection.close()


def open_stream(port: int, topics: str, user: Any = None, last_id: str = "", session: str = "") -> Stream:
    session = session or (session_of(user) if user is not None else "")
    lines = [f"GET /events?topics={topics} HTTP/1.1", "Host: localhost", "Accept: text/event-stream"]
    if session:
        lines.append(f"Cookie: {settings.SESSION_COOKIE_NAME}={session}")
    if last_id:
        lines.append(f"Last-Event-ID: {last_id}")
    connection = socket.create_connection(("127.0.0.1", port), timeout=5)
    connection.sendall("\r\n".join([*lines, "Connection: close", "", ""]).encode())
    return Stream(connection).wait_open()
