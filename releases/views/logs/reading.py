"""Lines of a run's log by their number, and those that hold some words; rendered once per process."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Subquery
from django.utils import timezone

from releases.deploys.models import LogChunk, Run, Step

from .ansi import markup, plain

WINDOW = 1000
"""Lines on a page."""
FOUND = 200
"""Lines that a search shows."""
SCANNED = 16 << 20
"""Bytes of a log that a search reads line by line; in a larger one colours within the words hide them."""


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line as it was printed."""

    number: int
    at: datetime
    step: int
    """Index of the step."""
    text: str


@dataclass(frozen=True, slots=True)
class Hit:
    """A line that a search found, without colours."""

    number: int
    text: str


def lines_between(run_pk: int, first: int, last: int) -> list[LogLine]:
    """Lines `first` to `last`, both included, counted from 1; fewer where the log has fewer."""
    first = max(1, first)
    if last < first:
        return []
    chunks = LogChunk.objects.filter(run=run_pk)
    start = chunks.filter(first_line__lte=first).order_by("-first_line").values("first_line")[:1]
    rows = chunks.filter(first_line__gte=Subquery(start), first_line__lte=last).order_by("first_line")
    return [line for line in _lines(rows.only("first_line", "at", "step", "text")) if first <= line.number <= last]


def _lines(chunks: Iterable[LogChunk]) -> Iterator[LogLine]:
    for chunk in chunks:
        for number, text in enumerate(chunk.text.removesuffix("\n").split("\n"), chunk.first_line):
            yield LogLine(number, chunk.at, chunk.step, text)


def window(total: int, line: int = 0, *, following: bool = False) -> tuple[int, int]:
    """First and last number of the lines that a page shows.

    Around `line` when it is named; else the end of a log that grows, and the beginning of one that ended, unless it
    fits.
    """
    if total <= WINDOW:
        return 1, total
    if line:
        first = min(max(1, line - WINDOW // 5), total - WINDOW + 1)
        return first, first + WINDOW - 1
    return (total - WINDOW + 1, total) if following else (1, WINDOW)


def rows(lines: Iterable[LogLine], heads: Mapping[int, str]) -> str:
    """The lines as list items; `heads` names the steps by their first line."""
    return "".join(row for _number, row in numbered(lines, heads))


def numbered(lines: Iterable[LogLine], heads: Mapping[int, str]) -> Iterator[tuple[int, str]]:
    """Each line's number and its list item, led in by the name of the step that begins there."""
    at, clock = None, ""
    for line in lines:
        number = line.number
        if line.at != at:
            at, clock = line.at, f"{timezone.localtime(line.at):%H:%M:%S}"
        head = f'<li class="log-h"><span class="m h">{heads[number]}</span></li>' if number in heads else ""
        yield (
            number,
            f'{head}<li id="L{number}"><a class="n" href="#L{number}" tabindex="-1">{number}</a>'
            f'<span class="t">{clock}</span><span class="m">{markup(line.text)}</span></li>',
        )


def heads_of(steps: Iterable[Step]) -> dict[int, str]:
    """First line of each step that printed anything → its name, as markup."""
    return {step.first_line: markup(step.name) for step in steps if step.first_line}


def search(run: Run, text: str) -> tuple[list[Hit], bool]:
    """Lines that hold `text`, in any case, and whether there are more than are shown."""
    wanted = text.casefold()
    chunks = LogChunk.objects.filter(run=run).order_by("first_line").only("first_line", "at", "step", "text")
    if run.log_bytes > SCANNED:
        chunks = chunks.filter(text__icontains=text)
    found: list[Hit] = []
    for line in _lines(chunks.iterator(chunk_size=50)):
        shown = plain(line.text)
        if wanted in shown.casefold():
            if len(found) == FOUND:
                return found, True
            found.append(Hit(line.number, shown))
    return found, False


def texts(run_pk: int) -> Iterator[str]:
    """The whole log, chunk by chunk, as it was stored."""
    rows = LogChunk.objects.filter(run=run_pk).order_by("first_line").values_list("text", flat=True)
    yield from rows.iterator(chunk_size=20)
