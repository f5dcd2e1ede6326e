"""Signed webhooks in: `POST /hooks/<project>` says "look now", nothing else of it is believed.

The signature is `X-Hub-Signature-256: sha256=<HMAC-SHA-256 of the body>` by the project's secret, as GitHub, Gitea
and others send it. What the body says is never read: the remote itself is asked. So a replayed call is harmless, and
ten calls at once join into one fetch.
"""

from __future__ import annotations

import hashlib
import hmac
import logging

from django.contrib.auth.decorators import login_not_required
from django.db import transaction
from django.db.models import F, Q
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

from releases.ledger.services import event_write
from releases.projects.models import Project
from releases.projects.secrets import SecretUnreadable
from releases.projects.services import hook_secret
from releases.tasks import fetch_ask

log = logging.getLogger(__name__)

LARGEST = 1024 * 1024
"""Bytes of a body."""
HEADER = "X-Hub-Signature-256"


@csrf_exempt
@login_not_required
def hook(request: HttpRequest, project: str) -> HttpResponse:
    """202 queued, 401 bad or missing signature, 404 unknown project, 405 not a POST, 413 body above 1 MiB."""
    if request.method != "POST":
        return _answer(405, "Use POST.", Allow="POST")
    body = _body(request)
    # A slug goes before a name, should one project be called what another is addressed by.
    found = Project.objects.filter(Q(slug=project) | Q(name=project))
    tracked = max(found, key=lambda row: row.slug == project, default=None)
    if tracked is None:
        _count_unknown()
        return _answer(404, "No such project.")
    if body is None:
        return _answer(413, "The body is larger than 1 MiB.")
    if not signature_fits(_secret(tracked), body, request.headers.get(HEADER, "")):
        _refused(tracked, missing=HEADER not in request.headers)
        return _answer(401, "The signature is missing or does not fit the body.")
    with transaction.atomic():
        Project.objects.filter(pk=tracked.pk).update(hooks_accepted=F("hooks_accepted") + 1)
        fetch_ask(tracked, "webhook")
    return _answer(202, "Queued.")


def _body(request: HttpRequest) -> bytes | None:
    """The body, or None when it is too large; never reads more than that."""
    try:
        if int(request.headers.get("Content-Length") or 0) > LARGEST:
            return None
        body = request.read(LARGEST + 1)
    except (ValueError, OSError):
        return b""
    return body if len(body) <= LARGEST else None


def signature_fits(secret: str, body: bytes, header: str) -> bool:
    """Whether the header is this body's signature by this secret; takes the same time whatever is wrong."""
    expected = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    given = header.strip()
    return bool(secret) and given.isascii() and hmac.compare_digest(expected, given.lower())


def _secret(project: Project) -> str:
    """The project's secret; empty, which fits nothing, when it cannot be read."""
    try:
        return hook_secret(project)
    except SecretUnreadable:
        log.error("the webhook secret of %s cannot be read; renew it in its settings", project.slug)
        return ""


def _refused(project: Project, *, missing: bool) -> None:
    """Count it; the ledger tells of it once an hour, so that nobody can fill the ledger from outside."""
    why = "A webhook without a signature was refused." if missing else "A webhook with a wrong signature was refused."
    with transaction.atomic():
        Project.objects.filter(pk=project.pk).update(hooks_refused=F("hooks_refused") + 1)
        event_write(
            "hook.refused",
            project_id=project.pk,
            actor_name="webhook",
            why=f"{why} Further ones in this hour are only counted.",
            key=f"hook.refused:{project.pk}:{timezone.now():%Y%m%d%H}",
        )


def _count_unknown() -> None:
    event_write(
        "hook.unknown",
        actor_name="webhook",
        why="A webhook for a project that is not tracked was refused. Further ones in this hour are not told.",
        key=f"hook.unknown:{timezone.now():%Y%m%d%H}",
    )


def _answer(status: int, sentence: str, **headers: str) -> HttpResponse:
    return HttpResponse(f"{sentence}\n", status=status, content_type="text/plain; charset=utf-8", headers=headers)
