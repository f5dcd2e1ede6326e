"""Django's pages under ASGI: a request's whole way, from the first middleware to the view, in one of a few threads.

All views and half of the middleware are plain functions. Django's own handler goes from the event loop to a thread and
back for each step of such a mixed chain, two dozen times for a page, with a new thread and so a new connection to the
database for each request. Here it goes once, to threads that stay, as those of a WSGI server do.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import django
from asgiref.sync import sync_to_async
from django.core import signals
from django.core.exceptions import RequestAborted
from django.core.handlers.asgi import ASGIHandler, get_script_prefix
from django.http.response import HttpResponseBase
from django.urls import set_script_prefix

THREADS = 24


class PagesHandler(ASGIHandler):
    """Bodies are taken and answers sent on the event loop; what lies between is worked on in a thread."""

    def __init__(self) -> None:
        super().__init__()
        self.threads = ThreadPoolExecutor(THREADS, thread_name_prefix="pages")

    def load_middleware(self, is_async: bool = False) -> None:
        super().load_middleware(is_async=False)

    async def handle(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        try:
            body = await self.read_body(receive)
        except RequestAborted:
            return
        response = await asyncio.get_running_loop().run_in_executor(self.threads, self._answered, scope, body)
        if response.streaming:
            await self._stream(response, receive, send)
        else:
            await self.send_response(response, send)

    def _answered(self, scope: dict[str, Any], body: Any) -> HttpResponseBase:
        set_script_prefix(get_script_prefix(scope))
        signals.request_started.send(sender=self.__class__, scope=scope)
        request, refused = self.create_request(scope, body)
        response: Any = refused if request is None else self.get_response(request)
        response._handler_class = self.__class__
        if not response.streaming:
            response.close()  # which tells that the request is over; the text stays
            body.close()
        return response  # type: ignore[no-any-return]

    async def _stream(self, response: HttpResponseBase, receive: Any, send: Any) -> None:
        """Send piece after piece, until all are sent or nobody is there any more."""
        sending = asyncio.create_task(self.send_response(response, send))
        leaving = asyncio.create_task(receive())
        try:
            await asyncio.wait([sending, leaving], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (sending, leaving):
                task.cancel()
            done = await asyncio.gather(sending, leaving, return_exceptions=True)
            await sync_to_async(response.close)()
        if isinstance(done[0], Exception):
            raise done[0]


def pages() -> PagesHandler:
    """The application. Sets Django up."""
    django.setup(set_prefix=False)
    return PagesHandler()
