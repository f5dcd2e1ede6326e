"""Signed webhooks in: `POST /hooks/<project>` says "look now", nothing else of it is believed.

`POST /hooks/steps/<step>` answers a step of a pipeline that was started elsewhere. That one is believed, so it must
carry the step's one-time token besides, and it counts once.

The signature is `X-Hub-Signature-256: sha256=<HMAC-SHA-256 of the body>` by the project's secret, as GitHub, Gitea
and others send it. What the body of the first kind says is never read: the remote itself is asked. So a replayed call
is harmless, and ten calls at once join into one fetch.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import re
from dataclasses import dataclass

from django.contrib.auth.decorators import login_not_required
from django.db import transaction
from django.db.models import F, Q
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

from releases.deploys.acting import run_answer
from releases.deploys.errors import DeployRefused
from releases.deploys.models import Step
from releases.ledger.services import event_write
from releases.projects.models import Project
from releases.projects.secrets import SecretUnreadable
from releases.projects.services import hook_secret
from releases.tasks import fetch_ask, run_changed

log = logging.getLogger(__name__)

LARGEST = 1024 * 1024
"""Bytes of a body."""
HEADER = "X-Hub-Signature-256"
MOST_FACTS, LONGEST_FACT = 100, 4000
"""Of a callback: how many facts, and how many characters of one."""
WANTED = '{"token": "…", "passed": true, "facts": {"name": "value"}, "why": "…"}; facts and why may be left out.'
FACT = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,79}\Z")


@csrf_exempt
@login_not_required
def hook(request: HttpRequest, project: str) -> HttpResponse:
    """202 queued, 401 bad or missing signature, 404 unknown project, 405 not a POST, 413 body above 1 MiB."""
    if request.method != "POST":
        return _said(405, "Use POST.", Allow="POST")
    body = _body(request)
    # A slug goes before a name, should one project be called what another is addressed by.
    found = Project.objects.filter(Q(slug=project) | Q(name=project))
    tracked = max(found, key=lambda row: row.slug == project, default=None)
    if tracked is None:
        _count_unknown()
        return _said(404, "No such project.")
    if body is None:
        return _said(413, "The body is larger than 1 MiB.")
    if not signature_fits(_secret(tracked), body, request.headers.get(HEADER, "")):
        _refused(tracked, missing=HEADER not in request.headers)
        return _said(401, "The signature is missing or does not fit the body.")
    with transaction.atomic():
        Project.objects.filter(pk=tracked.pk).update(hooks_accepted=F("hooks_accepted") + 1)
        fetch_ask(tracked, "webhook")
    return _said(202, "Queued.")


@csrf_exempt
@login_not_required
def answer(request: HttpRequest, pk: int) -> HttpResponse:
    """202 taken, 400 not the JSON that is wanted, 401 bad signature or token, 404 unknown step, 405 not a POST,
    409 the step waits for no answer (any more), 413 body above 1 MiB.
    """
    if request.method != "POST":
        return _said(405, "Use POST.", Allow="POST")
    body = _body(request)
    step = Step.objects.select_related("run__project").filter(pk=pk).exclude(answer_digest="").first()
    if step is None:
        return _said(404, "No such step.")
    if body is None:
        return _said(413, "The body is larger than 1 MiB.")
    project = step.run.project
    if not signature_fits(_secret(project), body, request.headers.get(HEADER, "")):
        _refused(project, missing=HEADER not in request.headers)
        return _said(401, "The signature is missing or does not fit the body.")
    told = told_from(body)
    if told is None:
        return _said(400, f"The body must be JSON: {WANTED}")
    if not hmac.compare_digest(hashlib.sha256(told.token.encode()).hexdigest(), step.answer_digest):
        _refused(project, missing=False)
        return _said(401, "The token is not this attempt's.")
    try:
        run_changed(run_answer(step, told.passed, told.facts, told.why))
    except DeployRefused as refusal:
        return _said(409, refusal.sentence)
    return _said(202, "Taken.")


@dataclass(frozen=True, slots=True)
class Told:
    """What a callback says."""

    token: str
    passed: bool
    facts: dict[str, str]
    why: str


def told_from(body: bytes) -> Told | None:
    """Read it; None when it is anything else than what is wanted."""
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(data, dict):
        return None
    facts, token, passed = data.get("facts") or {}, data.get("token"), data.get("passed")
    known = isinstance(facts, dict) and all(isinstance(value, str) for value in facts.values())
    if not known or not isinstance(token, str) or not isinstance(passed, bool) or len(facts) > MOST_FACTS:
        return None
    if not all(FACT.match(name) for name in facts):
        return None
    clean = {name: value[:LONGEST_FACT] for name, value in facts.items()}
    return Told(token, passed, clean, str(data.get("why") or "")[:LONGEST_FACT])


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


def _said(status: int, sentence: str, **headers: str) -> HttpResponse:
    return HttpResponse(f"{sentence}\n", status=status, content_type="text/plain; charset=utf-8", headers=headers)
