"""ASGI entry point (uvicorn: pages and the events stream)."""

import os
from typing import Any

from django.urls import get_resolver

from .bodies import bounded
from .pages import pages

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hotfixdash.settings")
_pages = bounded(pages())

from . import crowds, events, tails  # noqa: E402 - the applications must be loaded first

# The pages' modules are read now, not while the first visitor waits.
get_resolver().url_patterns  # noqa: B018


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """The stream, logs' ends, crowds and the server's own life go past Django's handler; all else is a page."""
    if scope["type"] == "lifespan":
        await events.lifespan(scope, receive, send)
    elif scope["type"] == "http" and scope["path"] == "/events":
        await events.events(scope, receive, send)
    elif scope["type"] != "http" or not await _beside(scope, send):
        await _pages(scope, receive, send)


async def _beside(scope: dict[str, Any], send: Any) -> bool:
    """Answer what hundreds of open pages ask for in the same moment; False: Django has to."""
    if tails.is_meant(scope):
        return await tails.tail(scope, send)
    return crowds.is_meant(scope) and await crowds.part(_pages, scope, send)
