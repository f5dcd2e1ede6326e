"""The document for pages: every part with who wrote it last, what differs for its reader, and its hints."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import OuterRef, Subquery

from .hints import Found
from .models import Draft, Factor, PostMortem, Reading, Revision, Section
from .outline import PARTS, Part
from .reviewing import open_hints
from .writing import Piece, difference


@dataclass(slots=True)
class ShownPart:
    """One part, as one reader sees it."""

    part: Part
    text: str = ""
    """As stored."""
    version: int = 0
    at: datetime | None = None
    by: str = ""
    hints: list[Found] = field(default_factory=list)
    draft: Draft | None = None
    """What this reader wrote while somebody else was faster, and has not decided on."""
    error: str = ""
    typed: str | None = None
    """What was sent and could not be stored; it stays in the field."""

    @property
    def written(self) -> bool:
        return bool(self.text.strip())

    @property
    def shown(self) -> str:
        """What stands in the field."""
        if self.typed is not None:
            return self.typed
        return self.draft.text if self.draft else self.text

    @property
    def base(self) -> int:
        """The version that what stands in the field was written on."""
        return self.draft.base if self.draft else self.version

    @property
    def differs(self) -> list[Piece]:
        """From what is stored to what this reader wrote."""
        return difference(self.text, self.draft.text) if self.draft else []


def shown_parts(postmortem: PostMortem, reader: Any) -> list[ShownPart]:
    """Every part of the outline, in order. A constant number of queries."""
    last = Revision.objects.filter(section=OuterRef("pk")).order_by("-version")
    rows = postmortem.sections.annotate(
        last_at=Subquery(last.values("at")[:1]), last_by=Subquery(last.values("author__username")[:1])
    )
    found = {row.key: row for row in rows}
    hints = open_hints(postmortem)
    drafts = {row.section_id: row for row in Draft.objects.filter(section__postmortem=postmortem, author=reader)}
    return [_shown(part, found.get(part.key), hints.get(part.key, []), drafts) for part in PARTS]


def shown_part(postmortem: PostMortem, key: str, reader: Any) -> ShownPart:
    """One of them."""
    return next(one for one in shown_parts(postmortem, reader) if one.part.key == key)


def _shown(part: Part, row: Any, hints: list[Found], drafts: dict[int, Draft]) -> ShownPart:
    if row is None:
        return ShownPart(part)
    draft = drafts.get(row.pk)
    if draft is not None and draft.text == row.text:
        draft = None
    return ShownPart(part, row.text, row.version, row.last_at, row.last_by or "", hints, draft)


@dataclass(slots=True)
class Chain:
    """A factor, with what made it possible below it."""

    factor: Factor
    because: list[Chain] = field(default_factory=list)


def chains(postmortem: PostMortem) -> list[Chain]:
    """The factors as trees; one query."""
    links = {row.pk: Chain(row) for row in postmortem.factors.all()}
    tops: list[Chain] = []
    for link in links.values():
        above = links.get(link.factor.parent_id) if link.factor.parent_id else None
        (above.because if above else tops).append(link)
    return tops


def writers(postmortem: PostMortem) -> list[str]:
    """Who wrote, the first writer first."""
    rows = Revision.objects.filter(section__postmortem=postmortem, author__isnull=False).order_by("at", "pk")
    return list(dict.fromkeys(rows.values_list("author__username", flat=True)))


def changed_since(postmortem: PostMortem, reading: Reading | None) -> list[str]:
    """Titles of parts that were changed after somebody found the document ready."""
    if reading is None:
        return []
    rows = Revision.objects.filter(section__postmortem=postmortem, at__gt=reading.at)
    late = set(rows.values_list("section__key", flat=True))
    return [part.title for part in PARTS if part.key in late]


@dataclass(frozen=True, slots=True)
class Change:
    """One revision, and what it changed."""

    revision: Revision
    pieces: list[Piece]

    @property
    def added(self) -> int:
        return sum(len(piece.text.split()) for piece in self.pieces if piece.kind == "new")

    @property
    def removed(self) -> int:
        return sum(len(piece.text.split()) for piece in self.pieces if piece.kind == "old")


def history(section: Section, before: int | None = None, most: int = 20) -> list[Change]:
    """Its revisions, the newest first, each with what differs from the one before; from below version `before`."""
    rows = section.revisions.select_related("author")
    if before is not None:
        rows = rows.filter(version__lt=before)
    found = list(rows[: most + 1])
    texts = [row.text for row in found[1:]] + [""]
    return [Change(row, difference(old, row.text)) for row, old in zip(found, texts, strict=True)][:most]


def reduced(pieces: Iterable[Piece], around: int = 160) -> list[Piece]:
    """The same without most of what is equal, for reading what changed."""
    found = []
    for piece in pieces:
        if piece.kind != "same" or len(piece.text) <= 2 * around:
            found.append(piece)
        else:
            found.append(Piece("same", f"{piece.text[:around]} … {piece.text[-around:]}"))
    return found
