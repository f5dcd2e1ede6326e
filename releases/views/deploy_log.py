"""The log of a run: what a page shows of it, what came since, and all of it as text."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.utils.http import content_disposition_header
from django.utils.safestring import mark_safe
from django.views.decorators.http import require_safe

from releases import live
from releases.deploys.models import Run, Step
from releases.deploys.models.runs import WAITING

from . import links, live_part
from .access import get_project
from .logs import reading
from .logs.reading import WINDOW, Hit

FRESH = 500
"""Lines at most that an open page is told of at once; the ones before them are a link away."""
LONGEST_SEARCH = 200
_JUMP = re.compile(r"[:#Ll](\d{1,9})", re.ASCII)


@dataclass(slots=True)
class ShownLog:
    """A window into a run's log, or what a search found in it."""

    run: Run
    slug: str
    first: int
    last: int
    rows: str = ""
    query: str = ""
    hits: list[tuple[Hit, str]] = field(default_factory=list)
    more_hits: bool = False
    bare: bool = False
    """Its lines are left out: whoever has the log on the page asks for them."""

    @property
    def shown(self) -> int:
        """Number of the last line that is there."""
        return self.first - 1 if self.bare else self.last

    @property
    def total(self) -> int:
        return self.run.log_lines

    @property
    def url(self) -> str:
        return links.run_log(self.slug, self.run.pk)

    @property
    def raw_url(self) -> str:
        return links.run_log_text(self.slug, self.run.pk)

    @property
    def topic(self) -> str:
        """For `data-live`; the version is read before the lines."""
        return live.run_topic(self.run.pk)

    @property
    def follows(self) -> bool:
        """New lines are shown at its end."""
        return not self.query and self.last >= self.total and not self.run.is_over

    @property
    def line_url(self) -> str:
        """What was searched for is a number that a line of this log has: where that one is."""
        line = number_of(self.query)
        return links.run_line(self.slug, self.run.pk, line) if 0 < line <= self.total else ""

    @property
    def at_end(self) -> bool:
        """What matters stands at its end: it goes on, or it did not end well."""
        return self.last >= self.total and not self.query and self.run.state not in (Run.State.DONE, *WAITING)

    @property
    def earlier(self) -> str:
        before = max(1, self.first - WINDOW + WINDOW // 5)
        return links.run_line(self.slug, self.run.pk, before) if self.first > 1 and not self.query else ""

    @property
    def later(self) -> str:
        after = self.last + WINDOW // 5
        return links.run_line(self.slug, self.run.pk, min(after, self.total)) if self.last < self.total else ""


def shown_log(run: Run, steps: list[Step], slug: str, params: dict[str, str], *, empty: bool = False) -> ShownLog:
    """The part of the log that a page with these parameters (`line`, `q`) shows; `empty` leaves out the lines."""
    query, line = _query(params), number_of(params.get("line", ""))
    first, last = reading.window(run.log_lines, line, following=not run.is_over or run.state != Run.State.DONE)
    found = ShownLog(run, slug, first, last, query=query, bare=empty)
    if empty:
        return found
    if query:
        hits, found.more_hits = reading.search(run, query)
        found.hits = [(hit, links.run_line(slug, run.pk, hit.number)) for hit in hits]
    elif run.log_lines:
        lines = reading.lines_between(run.pk, first, last)
        found.rows = mark_safe(reading.rows(lines, reading.heads_of(steps)))  # noqa: S308 - escaped line by line
    return found


def line_meant(params: dict[str, str]) -> int:
    """The line that a search for `:404`, `#404` or `L404` jumps to; 0 for a search, which a bare number is, too."""
    found = _JUMP.fullmatch(_query(params))
    return int(found[1]) if found else 0


def _query(params: dict[str, str]) -> str:
    return params.get("q", "")[:LONGEST_SEARCH].strip()


def number_of(text: str) -> int:
    """A line's number out of an address; 0 for anything else."""
    return int(text) if re.fullmatch(r"\d{1,9}", text, re.ASCII) else 0


def find_run(slug: str, pk: int, request: HttpRequest) -> Run:
    """The run, when this person may see its project. Raises Http404."""
    project = get_project(request, slug)
    found = Run.objects.filter(project=project, pk=pk).only("pk", "log_lines", "tag", "state", "kind").first()
    if found is None:
        raise Http404("No such run.")
    return found


@require_safe
def log(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """List items of the lines after number `after`; 204 when there are none.

    Open pages ask so once in a second: the server answers most of them before they come here, see `hotfixdash.tails`.
    """
    run = find_run(slug, pk, request)
    after = number_of(request.GET.get("after", ""))
    if run.log_lines <= after:
        return HttpResponse(status=204)
    first = max(after + 1, run.log_lines - FRESH + 1)
    heads = reading.heads_of(Step.objects.filter(run=run, first_line__gte=first).only("name", "first_line"))
    body = gap(slug, pk, after, first) + reading.rows(reading.lines_between(pk, first, run.log_lines), heads)
    return HttpResponse(body, headers={"X-Log-Last": str(run.log_lines), "Cache-Control": "no-store"})


def gap(slug: str, pk: int, after: int, first: int) -> str:
    """A list item for the lines between `after` and `first` that are left out; empty when there are none."""
    if first <= after + 1:
        return ""
    url = links.run_line(slug, pk, after + 1)
    return f'<li class="log-g"><a href="{url}">{first - after - 1:,} lines in between</a></li>'


@require_safe
def log_text(request: HttpRequest, slug: str, pk: int) -> HttpResponseBase:
    """The whole log as it was printed, secrets masked; with `download` as a file."""
    run = find_run(slug, pk, request)
    texts = reading.texts(pk)
    content = _in_steps(texts) if isinstance(request, ASGIRequest) else texts
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", f"{slug}-{run.kind}-{run.pk}-{run.tag}")[:150]
    headers = {"X-Content-Type-Options": "nosniff"}
    if request.GET.get("download"):
        headers["Content-Disposition"] = content_disposition_header(True, f"{name}.log") or "attachment"
    return StreamingHttpResponse(content, content_type="text/plain; charset=utf-8", headers=headers)


async def _in_steps(texts: Iterator[str]) -> AsyncIterator[str]:
    """The same pieces, each read in a thread: under ASGI a plain iterator would be collected whole first."""
    while (piece := await sync_to_async(lambda: next(texts, None))()) is not None:
        yield piece


def log_topic(run: Run) -> str:
    """`run:5@12`, for `data-live`; to be read before the rows."""
    return live_part.stamped(live.run_topic(run.pk))
