"""Writing the document: sections with versions, so that no text is ever stored over somebody else's."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.utils import timezone

from releases import live

from .errors import PostMortemError, SomebodyWasFaster
from .models import Draft, PostMortem, Revision, Section
from .outline import BY_KEY

LONGEST = 50_000
"""Characters of one section."""


def topic_of(postmortem: PostMortem) -> str:
    """The topic of its open pages."""
    return f"postmortem:{postmortem.pk}"


def section_write(postmortem: PostMortem, key: str, text: str, base: int, author: Any) -> Section:
    """Store a section that was read at version `base`. The same text as there is writes nothing.

    Raises SomebodyWasFaster, with the text kept as a draft, and PostMortemError (field: text).
    """
    if key not in BY_KEY:
        raise PostMortemError("", "There is no such part.", "unknown")
    clean = text.replace("\r\n", "\n").replace("\0", "")
    if len(clean) > LONGEST:
        raise PostMortemError("text", f"Keep a part below {LONGEST:,} characters; put long logs behind a link.")
    beaten: tuple[Section, Draft] | None = None
    with transaction.atomic():
        Section.objects.get_or_create(postmortem=postmortem, key=key)
        section = Section.objects.select_for_update().get(postmortem=postmortem, key=key)
        if section.text == clean:
            Draft.objects.filter(section=section, author=author).delete()
            return section
        if section.version != base:
            # The draft outlives this transaction: it must not be rolled back by the exception.
            beaten = section, _keep(section, clean, base, author)
        else:
            section.text, section.version = clean, section.version + 1
            section.save(update_fields=["text", "version"])
            Revision.objects.create(section=section, version=section.version, text=clean, author=author)
            Draft.objects.filter(section=section, author=author).delete()
    live.publish(topic_of(postmortem))
    if beaten:
        raise SomebodyWasFaster(*beaten)
    return section


def draft_drop(section: Section, author: Any) -> None:
    """The writer takes the other's text as it is."""
    Draft.objects.filter(section=section, author=author).delete()


def hint_keep(section: Section, quote: str) -> None:
    """The writers keep their words: the hint counts as done."""
    with transaction.atomic():
        row = Section.objects.select_for_update().get(pk=section.pk)
        if quote and quote not in row.kept_hints:
            row.kept_hints = [*row.kept_hints, quote[:300]][-200:]
            row.save(update_fields=["kept_hints"])
    live.publish(topic_of(section.postmortem))


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of words that both texts have, or only one of them."""

    kind: str
    """same, old or new."""
    text: str


def difference(old: str, new: str) -> list[Piece]:
    """From one text to another, word by word."""
    before, after = _words(old), _words(new)
    pieces: list[Piece] = []
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    if len(before) * len(after) > 25_000_000:
        # Too long for words; whole lines then.
        before, after = old.splitlines(keepends=True), new.splitlines(keepends=True)
        matcher = difflib.SequenceMatcher(None, before, after)
    for does, a, b, c, d in matcher.get_opcodes():
        if does == "equal":
            pieces.append(Piece("same", "".join(before[a:b])))
            continue
        if b > a:
            pieces.append(Piece("old", "".join(before[a:b])))
        if d > c:
            pieces.append(Piece("new", "".join(after[c:d])))
    return pieces


def _words(text: str) -> Sequence[str]:
    words: list[str] = []
    for line in text.splitlines(keepends=True):
        for word in line.split(" "):
            words.append(word + " ")
        words[-1] = words[-1][:-1]
    return words


def _keep(section: Section, text: str, base: int, author: Any) -> Draft:
    draft, _ = Draft.objects.update_or_create(
        section=section, author=author, defaults={"base": base, "text": text, "at": timezone.now()}
    )
    return draft
