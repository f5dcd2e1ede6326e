"""The document as Markdown, for wherever else it is to be kept."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from django.utils import timezone

from .actions import action_trailer
from .document import Chain, chains
from .impact import numbers
from .models import ActionItem, PostMortem
from .opening import hotfixes_of
from .outline import PARTS
from .timeline import Entry, entries

_SPECIAL = re.compile(r"([\\`*_\[\]<>#|~])")


def as_markdown(postmortem: PostMortem) -> str:
    """All of it. What people wrote as Markdown stays that; titles, names and facts are escaped."""
    return "\n".join(_lines(postmortem)).strip() + "\n"


def _lines(postmortem: PostMortem) -> Iterator[str]:
    yield f"# {postmortem.key}: {_text(postmortem.title)}"
    yield ""
    yield from _about(postmortem)
    texts = {section.key: section.text.strip() for section in postmortem.sections.all()}
    for part in PARTS:
        yield from _heading(part.title)
        if part.key == "impact":
            yield from (f"- {_text(row.name)}: {_text(row.value)}" for row in numbers(postmortem))
            yield ""
        yield _deeper(texts.get(part.key, "")) or "*Not written.*"
        if part.key == "impact":
            yield from _heading("Timeline")
            yield from _timeline(entries(postmortem))
        if part.key == "factors":
            yield ""
            yield from _chains(chains(postmortem))
    yield from _heading("Action items")
    items = list(postmortem.actions.select_related("owner", "postmortem"))
    yield from (_action(item) for item in items)
    if not items:
        yield "*None.*"


def _about(postmortem: PostMortem) -> Iterator[str]:
    yield f"- Project: {_text(postmortem.project.name)}"
    yield f"- Severity: SEV{postmortem.severity}"
    yield f"- State: {postmortem.get_state_display()}"
    yield f"- Owner: {_text(postmortem.owner.get_username())}"
    if postmortem.incident is not None:
        yield f"- Incident: {postmortem.incident.key}"
    for hotfix in hotfixes_of(postmortem):
        yield f"- Hotfix: {_text(hotfix.key)}" + (f" ({_text(hotfix.tag)})" if hotfix.tag else "")
    if postmortem.published_at is not None:
        yield f"- Published: {timezone.localtime(postmortem.published_at):%Y-%m-%d}"


def _heading(title: str) -> Iterator[str]:
    yield from ("", f"## {title}", "")


def _timeline(lines: Sequence[Entry]) -> Iterator[str]:
    for line in lines:
        who = f" ({_text(line.who)})" if line.who else ""
        yield f"- {timezone.localtime(line.at):%Y-%m-%d %H:%M} {_text(line.text)}{who}"
    if not lines:
        yield "*Nothing is known.*"


def _chains(found: Sequence[Chain], depth: int = 0) -> Iterator[str]:
    for chain in found:
        yield f"{'  ' * depth}- {_text(chain.factor.text)}"
        yield from _chains(chain.because, depth + 1)


def _action(item: ActionItem) -> str:
    owner = _text(item.owner.get_username()) if item.owner else "nobody yet"
    due = f", by {item.due_on:%Y-%m-%d}" if item.due_on else ""
    mark = "x" if item.state == ActionItem.State.DONE else " "
    closed = f", closed by {item.done_by[:12]}" if item.done_by else ""
    dropped = ", dropped" if item.state == ActionItem.State.DROPPED else ""
    about = f"{item.get_kind_display().lower()}, {owner}{due}{closed}{dropped}"
    link = f" <{item.link}>" if item.link else ""
    return f"- [{mark}] {item.key} {_text(item.title)} ({about}; `{action_trailer(item)}`){link}"


def _text(text: str) -> str:
    """Words on one line that mean nothing in Markdown."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))


def _deeper(text: str) -> str:
    """What people wrote, with its headings below those of the document."""
    return re.sub(r"^(#{1,4}) ", lambda match: f"{'#' * min(6, len(match[1]) + 2)} ", text, flags=re.MULTILINE)
