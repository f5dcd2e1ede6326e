"""What strangers send is bounded before it is kept: Django's ASGI handler spools a whole body to disk first."""

from __future__ import annotations

from typing import Any

LARGEST = 4 * 1024 * 1024
"""Bytes; the largest form is far below, and a webhook may have 1 MiB, which its view checks."""


class _TooLarge(Exception):
    pass


def bounded(application: Any, largest: int = LARGEST) -> Any:
    """The ASGI application, answering 413 to a request whose body is larger, told beforehand or not."""

    async def guarded(scope: dict[str, Any], receive: Any, send: Any) -> None:
        taken = 0
        begun = False

        async def counted() -> Any:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > largest:
                raise _TooLarge
            return message

        async def noted(message: Any) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            if _announced(scope) > largest:
                raise _TooLarge
            await application(scope, counted, noted)
        except _TooLarge:
            if not begun:
                await _refuse(send)

    return guarded


def _announced(scope: dict[str, Any]) -> int:
    lengths = [value for name, value in scope.get("headers", ()) if name == b"content-length"]
    return max((int(value) for value in lengths if value.isdigit()), default=0)


async def _refuse(send: Any) -> None:
    text = b"The body is too large.\n"
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(text)).encode()),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    await send({"type": "http.response.body", "body": text})
