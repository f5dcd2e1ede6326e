"""Nobody can fill the disk with the body of a request."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from hotfixdash.bodies import bounded
from tests.loops import run_apart

PIECE = b"x" * 100


class Talk:
    """One request with a body in pieces, and what was answered."""

    def __init__(self, pieces: int, *, headers: tuple[tuple[bytes, bytes], ...] = ()) -> None:
        self.scope: dict[str, Any] = {"type": "http", "path": "/", "headers": headers}
        self.asked = 0
        self.sent: list[dict[str, Any]] = []
        self._pieces: Iterator[int] = iter(range(pieces))

    async def receive(self) -> dict[str, Any]:
        self.asked += 1
        more = next(self._pieces, None) is not None
        return {"type": "http.request", "body": PIECE if more else b"", "more_body": more}

    async def send(self, message: dict[str, Any]) -> None:
        self.sent.append(message)

    @property
    def status(self) -> int:
        return int(self.sent[0]["status"])


async def reads_all(scope: dict[str, Any], receive: Any, send: Any) -> None:
    size = 0
    while (message := await receive())["more_body"]:
        size += len(message["body"])
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(size).encode()})


def say(talk: Talk) -> Talk:
    run_apart(bounded(reads_all, 1000)(talk.scope, talk.receive, talk.send))
    return talk


def test_a_body_within_the_bound_goes_through_whole() -> None:
    talk = say(Talk(10))
    assert (talk.status, talk.sent[1]["body"]) == (200, b"1000")


def test_a_body_without_end_is_cut_off_at_the_bound() -> None:
    talk = say(Talk(10_000))
    assert talk.status == 413
    assert talk.asked == 11


@pytest.mark.parametrize("length", [b"1001", b"99999999999999999999"])
def test_a_body_that_is_announced_too_large_is_not_read(length: bytes) -> None:
    talk = say(Talk(50, headers=((b"content-length", length),)))
    assert (talk.status, talk.asked) == (413, 0)


def test_the_dashboard_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    from hotfixdash.asgi import application

    talk = Talk(10**9, headers=((b"host", b"127.0.0.1"),))
    talk.scope |= {"path": "/hooks/shop", "raw_path": b"/hooks/shop", "method": "POST", "query_string": b""}
    talk.scope |= {"server": ("127.0.0.1", 80), "client": ("127.0.0.1", 1), "http_version": "1.1", "scheme": "http"}
    monkeypatch.setattr("tests.ground.test_bodies.PIECE", b"x" * (1 << 20))
    run_apart(application(talk.scope, talk.receive, talk.send))
    assert talk.status == 413
    assert talk.asked <= 6
