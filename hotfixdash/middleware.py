"""Health before everything else, and the headers that every answer carries."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseNotFound
from django.utils.cache import patch_vary_headers

from .health import healthz, readyz

PERMISSIONS_POLICY = ", ".join(
    f"{feature}=()" for feature in ("camera", "geolocation", "microphone", "payment", "usb", "interest-cohort")
)


class HealthMiddleware:
    """Answers `/healthz` and `/readyz` whatever host name, scheme or session the request carries.

    A container's own probe asks by `localhost`, without TLS, and must not be sent elsewhere.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self.views = {"/healthz": healthz, "/readyz": readyz}

    def __call__(self, request: HttpRequest) -> HttpResponse:
        view = self.views.get(request.path_info)
        return view(request) if view else self.get_response(request)


class AddressMiddleware:
    """The visitor's own address behind trusted proxies: the throttle of sign-in counts by it.

    The list is read from its end: everything before the first address that is no proxy of ours may be made up.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if settings.TRUSTED_PROXIES:
            chain = [*request.META.get("HTTP_X_FORWARDED_FOR", "").split(","), request.META.get("REMOTE_ADDR", "")]
            for address in map(_address, reversed(chain)):
                if address is None:
                    break
                request.META["REMOTE_ADDR"] = str(address)
                if not any(address in network for network in settings.TRUSTED_PROXIES):
                    break
        return self.get_response(request)


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text.strip())
    except ValueError:
        return None


class HeadersMiddleware:
    """What browsers may do with a page, and that pages of signed-in people belong to them alone."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if "\0" in request.path_info:
            # No name holds it, and PostgreSQL refuses even to look one up.
            return HttpResponseNotFound("There is no such page.\n", content_type="text/plain")
        query = request.META.get("QUERY_STRING", "")
        if "%00" in query or "\0" in query:
            # In its place stands the sign for what cannot be shown. (Taken out, `%%0000` would become one.)
            request.META["QUERY_STRING"] = query.replace("\0", "%00").replace("%00", "%EF%BF%BD")
        response = self.get_response(request)
        response.headers.setdefault("Permissions-Policy", PERMISSIONS_POLICY)
        response.headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        if not response.has_header("Cache-Control"):
            # A page may be kept, but is asked for again every time: a conditional answer is small.
            response.headers["Cache-Control"] = "private, no-cache"
            patch_vary_headers(response, ("Cookie",))
        return response
