"""Public status pages. Public ones are answered from copies before sessions and databases come into play."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from urllib.parse import urlencode

from django.contrib.auth.decorators import login_not_required
from django.core.cache import cache
from django.http import Http404, HttpRequest, HttpResponse, HttpResponsePermanentRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.http import http_date, parse_etags
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST

from incidents.response.errors import IncidentError
from incidents.response.models import Component, Incident
from incidents.status.content import content_of
from incidents.status.copies import copies
from incidents.status.models import StatusPage
from incidents.status.rendering import Form, forms_of
from incidents.status.services import subscriber_ask, subscriber_asked, subscriber_confirm, subscriber_leave
from releases.projects.models import Project

PUBLIC = "public, max-age=2, stale-while-revalidate=60, stale-if-error=86400"
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_ADDRESS = re.compile(r"/status/([a-z0-9][a-z0-9-]{0,59})(?:\.json|/(feed\.atom|badge\.svg)?)\Z")
ASKS_AN_HOUR = 20
"""Subscriptions that one address of the network may ask for in an hour."""
_moment = lru_cache(512)(http_date)


class StatusMiddleware:
    """Answers for public status pages from their copies: no session, no database, no broker."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        path = request.path_info
        if not path.startswith("/status/") or request.method not in ("GET", "HEAD"):
            return self.get_response(request)
        found = _ADDRESS.match(path)
        form = copies().form(found[1], _form_name(path, found[2])) if found else None
        return answered(request, form, PUBLIC) if form else self.get_response(request)


def _form_name(path: str, name: str | None) -> str:
    return "data.json" if path.endswith(".json") else name or "page.html"


def answered(request: HttpRequest, form: Form, cache_control: str) -> HttpResponse:
    """A form, or 304 when the visitor has it already. Thousands a second ask: nothing is parsed that need not be."""
    told = request.META
    headers = {
        "ETag": form.etag,
        "Vary": "Accept-Encoding",
        "Cache-Control": cache_control,
        "Content-Security-Policy": CSP,
        "X-Content-Type-Options": "nosniff",
    }
    if not form.kind.startswith("text/html"):
        # Feeds and badges are made to be shown elsewhere.
        headers["Access-Control-Allow-Origin"] = "*"
        headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    if form.changed:
        headers["Last-Modified"] = _moment(form.changed)
    known = told.get("HTTP_IF_NONE_MATCH")
    if _has_it(form, known, told.get("HTTP_IF_MODIFIED_SINCE")):
        response = HttpResponse(status=304, headers=headers)
        del response.headers["Content-Type"]
        return response
    body = form.body
    if form.zipped and "gzip" in told.get("HTTP_ACCEPT_ENCODING", ""):
        body = form.zipped
        headers["Content-Encoding"] = "gzip"
    headers["Content-Length"] = str(len(body))
    return HttpResponse(body, content_type=form.kind, headers=headers)


def _has_it(form: Form, known: str | None, since: str | None) -> bool:
    """Whether the visitor has this very text: by its name or, for those who name none, by its time."""
    if known:
        return known == form.etag or form.etag in parse_etags(known)
    return bool(since and form.changed and since == _moment(form.changed))


@login_not_required
@require_http_methods(["GET", "HEAD"])
def status_page(request: HttpRequest, slug: str, name: str = "page.html") -> HttpResponse:
    """A page that is not public, for people who see its projects; anything else does not exist."""
    page = StatusPage.objects.filter(slug=slug).prefetch_related("projects").first()
    public = page is not None and page.visibility == StatusPage.Visibility.PUBLIC
    if not public and name == "page.html" and not request.user.is_authenticated:
        return _nothing_yet(request, slug)
    if page is None or page.visibility == StatusPage.Visibility.HIDDEN:
        raise Http404("No such status page.")
    if page.visibility == StatusPage.Visibility.PUBLIC:
        form = copies().form(slug, name)
        if form is None:
            raise Http404("No such status page.")
        return answered(request, form, PUBLIC)
    seen = set(Project.objects.seen_by(request.user).values_list("pk", flat=True))
    if not request.user.is_authenticated or not {project.pk for project in page.projects.all()} <= seen:
        raise Http404("No such status page.")
    return answered(request, forms_of(content_of(page))[name], "private, no-store")


def _nothing_yet(request: HttpRequest, slug: str) -> HttpResponse:
    """To whoever is not signed in, an address that is not public and one that nobody has look alike."""
    sign_in = f"{reverse('login')}?{urlencode({'next': f'/status/{slug}/'})}"
    response = render(request, "incidents/status_nothing.html", {"sign_in": sign_in}, status=404)
    response.headers["Cache-Control"] = "private, no-store"
    return response


@login_not_required
def without_slash(request: HttpRequest, slug: str) -> HttpResponse:
    return HttpResponsePermanentRedirect(f"/status/{slug}/")


@csrf_exempt  # The page is the same for everybody, so it carries no token; the mail that asks to confirm protects.
@login_not_required
@require_POST
def subscribe(request: HttpRequest, slug: str) -> HttpResponse:
    """Ask for updates by mail. The answer does not tell whether the address was known."""
    page = _public(slug)
    if not _may_ask(request):
        return _said(request, page, "Too many requests", "Try again in an hour.", 429)
    chosen = [value for value in request.POST.getlist("component") if value.isdigit()]
    components = Component.objects.filter(pk__in=chosen, project__in=page.projects.all(), retired_at=None)
    email, incident = request.POST.get("email", "")[:254], _incident(request, page)
    try:
        subscriber_ask(page, email, components=components, incident=incident)
    except IncidentError as error:
        return _said(request, page, "That did not work", error.sentence, 422)
    return _said(request, page, "Look into your mail", "We wrote to you. Follow the link in that mail to confirm.")


@csrf_exempt
@login_not_required
@require_http_methods(["GET", "POST"])
def confirm(request: HttpRequest, slug: str, token: str) -> HttpResponse:
    """The link of the first mail. A press confirms: programs that look into mails follow links, too."""
    page = _public(slug)
    asked = subscriber_asked(token)
    if request.method == "GET" and asked:
        says = "One press, and we write when something happens."
        return _said(request, page, "Get updates by mail?", says, press="Yes, send them")
    if not asked or subscriber_confirm(token) is None:
        return _said(request, page, "This link is not valid any more", "Ask for a new one on the page.", 410)
    return _said(request, page, "You get updates from now on", "Each mail has a link to end it.")


@csrf_exempt
@login_not_required
@require_http_methods(["GET", "POST"])
def leave(request: HttpRequest, slug: str, token: str) -> HttpResponse:
    """The link below each mail; mail programs post to it when somebody presses their own button."""
    page = get_object_or_404(StatusPage, slug=slug)
    if request.method == "GET":
        return _said(request, page, "No more mails?", "You can come back at any time.", press="End them")
    if subscriber_leave(token) is None:
        return _said(request, page, "This link is not ours", "Use the one below a mail.", 410)
    return _said(request, page, "You get no more mails", "Your address is deleted within 30 days.")


def _said(
    request: HttpRequest, page: StatusPage, title: str, says: str, status: int = 200, press: str = ""
) -> HttpResponse:
    context = {"page": page, "title": title, "says": says, "press": press}
    response = render(request, "incidents/status_said.html", context, status=status)
    response.headers["Cache-Control"] = "no-store"
    return response


def _public(slug: str) -> StatusPage:
    return get_object_or_404(StatusPage, slug=slug, visibility=StatusPage.Visibility.PUBLIC)


def _incident(request: HttpRequest, page: StatusPage) -> Incident | None:
    key = request.POST.get("incident", "")
    if not key.startswith("INC-") or not key[4:].isdigit() or len(key) > 12:
        return None
    return Incident.objects.filter(
        number=int(key[4:]), project__in=page.projects.all(), public=True, drill=None
    ).first()


def _may_ask(request: HttpRequest) -> bool:
    """A few an hour from one address; without the broker nobody is refused."""
    key = f"status-asks:{request.META.get('REMOTE_ADDR', '')}"
    cache.add(key, 0, timeout=3600)
    try:
        return int(cache.incr(key)) <= ASKS_AN_HOUR
    except ValueError:
        return True
