"""Writing the document: sections with versions, so that no text is ever stored over somebody else's."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from releases import live

from .errors import PostMortemError, SomebodyWasFaster
from .models import Draft, PostMortem, Revision, Section
from .outline import BY_KEY

LONGEST = 50_000
"""Characters of one section."""
GOES_ON = timedelta(minutes=5)
"""What is only added to within this time of the last save by itself is one revision."""
OPEN = (PostMortem.State.DRAFT, PostMortem.State.REVIEW)
"""States in which it may be written."""


def topic_of(postmortem: PostMortem) -> str:
    """The topic of its open pages."""
    return f"postmortem:{postmortem.pk}"


def must_be_open(postmortem: PostMortem) -> None:
    """Raise PostMortemError when it is published: what was read and agreed on does not change unseen."""
    state = PostMortem.objects.filter(pk=postmortem.pk).values_list("state", flat=True).first()
    if state not in OPEN:
        raise PostMortemError("", "It is published. Take it back to a draft to change it.", "published")


def section_write(
    postmortem: PostMortem, key: str, text: str, base: int, author: Any, *, by_itself: bool = False
) -> Section:
    """Store a section that was read at version `base`. The same text as there is writes nothing.

    `by_itself`: saved while somebody types; what only adds to the same writer's last save becomes one revision with
    it, so that a history is not made of single words and still holds every word that was taken out.
    Raises SomebodyWasFaster, with the text kept as a draft, and PostMortemError (field: text).
    """
    if key not in BY_KEY:
        raise PostMortemError("", "There is no such part.", "unknown")
    clean = text.replace("\r\n", "\n").replace("\0", "")
    if len(clean) > LONGEST:
        raise PostMortemError("text", f"Keep a part below {LONGEST:,} characters; put long logs behind a link.")
    beaten: tuple[Section, Draft] | None = None
    with transaction.atomic():
        must_be_open(postmortem)
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
            _remember(section, author, by_itself=by_itself)
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


def _remember(section: Section, author: Any, *, by_itself: bool) -> None:
    """The section's present text as a revision of its own, or as what the last one has grown to."""
    now = timezone.now()
    last = section.revisions.first() if by_itself else None
    own = last is not None and last.author_id == author.pk and now - last.at < GOES_ON
    if last is not None and own and _only_added(last.text, section.text):
        last.version, last.text, last.at = section.version, section.text, now
        last.save(update_fields=["version", "text", "at"])
        return
    Revision.objects.create(section=section, version=section.version, text=section.text, author=author, at=now)


def _only_added(old: str, new: str) -> bool:
    """Whether the new text is the old one with something put in at one place."""
    same = next((at for at, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new)))
    return len(new) >= len(old) and new.endswith(old[same:])


def _keep(section: Section, text: str, base: int, author: Any) -> Draft:
    draft, _ = Draft.objects.update_or_create(
        section=section, author=author, defaults={"base": base, "text": text, "at": timezone.now()}
    )
    return draft
