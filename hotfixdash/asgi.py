"""ASGI entry point (uvicorn: pages and the events stream)."""

import os
from typing import Any

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hotfixdash.settings")
_django = get_asgi_application()

from . import events, tails  # noqa: E402 - the applications must be loaded first
from .bodies import bounded  # noqa: E402

_pages = bounded(_django)


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """The stream, the ends of logs and the server's own life go past Django's handler; everything else is a page."""
    if scope["type"] == "lifespan":
        await events.lifespan(scope, receive, send)
    elif scope["type"] == "http" and scope["path"] == "/events":
        await events.events(scope, receive, send)
    elif scope["type"] == "http" and tails.is_meant(scope) and await tails.tail(scope, send):
        return
    else:
        await _pages(scope, receive, send)
