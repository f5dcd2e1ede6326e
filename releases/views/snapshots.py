"""The files of a release as an archive, made from the mirror while it is sent, and its checksum."""

from __future__ import annotations

import hashlib
import re
import zlib
from collections.abc import AsyncIterator, Generator
from contextlib import closing

from asgiref.sync import sync_to_async
from django.core.cache import cache
from django.core.handlers.asgi import ASGIRequest
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_safe

from releases.git.errors import GitError
from releases.git.repository import Repository
from releases.projects.models import Project, Release
from releases.projects.release_selectors import release_find
from releases.projects.services.mirrors import mirror_folder

from .access import get_project

SECONDS = 300.0
"""How long one archive may take to be made and sent."""
CHECKSUM_SECONDS = 30.0
_CHUNK = 1 << 17
_DAY = 86_400


def stem_of(project: Project, release: Release) -> str:
    """The archive's name without its ending, and the one folder in it; safe in a shell and in a header."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", f"{project.slug}-{release.version or release.tag}")
    return name.strip("-.")[:150] or "snapshot"


@require_safe
def snapshot(request: HttpRequest, slug: str, tag: str) -> HttpResponseBase:
    """The release's files as `.tar.gz`; the same bytes each time."""
    repository, release, stem = _find(request, slug, tag)
    chunks = archive(repository, release.commit, stem, SECONDS)
    try:
        # A repository that cannot be read shows at once, while the answer can still say so.
        chunks = _begun(next(chunks, b""), chunks)
    except GitError as error:
        return _unreadable(error)
    # Under ASGI Django would collect a plain iterator whole before it sends the first byte.
    content = _in_steps(chunks) if isinstance(request, ASGIRequest) else chunks
    headers = {"Content-Disposition": content_disposition_header(True, f"{stem}.tar.gz") or "attachment"}
    return StreamingHttpResponse(content, content_type="application/gzip", headers=headers)


@require_safe
def checksum(request: HttpRequest, slug: str, tag: str) -> HttpResponse:
    """The SHA-256 of that archive, in the form that `sha256sum --check` reads."""
    repository, release, stem = _find(request, slug, tag)
    key = f"snapshot:{release.commit}:{hashlib.sha256(stem.encode()).hexdigest()}"
    digest = cache.get(key)
    if digest is None:
        total = hashlib.sha256()
        try:
            for chunk in archive(repository, release.commit, stem, CHECKSUM_SECONDS):
                total.update(chunk)
        except GitError as error:
            return _unreadable(error)
        digest = total.hexdigest()
        cache.set(key, digest, _DAY)
    return HttpResponse(f"{digest}  {stem}.tar.gz\n", content_type="text/plain; charset=utf-8")


def _find(request: HttpRequest, slug: str, tag: str) -> tuple[Repository, Release, str]:
    project = get_project(request, slug)
    release = release_find(project, tag)
    if release is None or release.deleted_at is not None:
        raise Http404("No such release.")
    try:
        repository = Repository.open(mirror_folder(project))
        repository.commit(release.commit)
    except GitError as error:
        raise Http404(f"The snapshot cannot be made here: {error.sentence}") from None
    return repository, release, stem_of(project, release)


def archive(repository: Repository, commit: str, stem: str, seconds: float) -> Generator[bytes, None, None]:
    """The compressed archive in pieces. No time of day is written into it, so that its checksum stays."""
    press = zlib.compressobj(6, zlib.DEFLATED, 31)
    with repository.archive(commit, prefix=f"{stem}/", timeout=seconds) as tar:
        # One piece is held back, so that a small archive that cannot be finished is not begun either.
        held = b""
        while chunk := tar.read(_CHUNK):
            if held:
                yield held
            held = press.compress(chunk)
    yield held + press.flush()


def _begun(first: bytes, rest: Generator[bytes, None, None]) -> Generator[bytes, None, None]:
    with closing(rest):
        yield first
        yield from rest


def _unreadable(error: GitError) -> HttpResponse:
    return HttpResponse(f"{error.sentence}\n", status=503, content_type="text/plain; charset=utf-8")


async def _in_steps(chunks: Generator[bytes, None, None]) -> AsyncIterator[bytes]:
    """The same pieces, each read in a thread; git is ended also when the reader goes away."""
    with closing(chunks):
        while piece := await sync_to_async(lambda: next(chunks, b""))():
            yield piece
