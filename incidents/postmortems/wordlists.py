"""The wordings that are hinted at: those of a language's file, and what a team adds and leaves out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.db import transaction

from releases.ledger.services import event_write
from releases.policies.typed import typed

from .errors import PostMortemError
from .hints import Hint, HintError, hints_of, of_team
from .models import WordList

MOST_OWN = 100
FIELDS = {"name": 60, "words": 400, "why": 300, "ask": 300, "instead": 300}
"""What a team's own wording has, each with the most characters."""


def own_words(language: str = "en") -> list[dict[str, str]]:
    """What the team added."""
    row = WordList.objects.filter(pk=language).first()
    return list(row.added) if row else []


def left_out(language: str = "en") -> list[str]:
    """Names of those of the file that the team does not want."""
    row = WordList.objects.filter(pk=language).first()
    return list(row.removed) if row else []


def word_save(data: Mapping[str, str], was: str = "", actor: Any = None, language: str = "en") -> None:
    """Add a wording, or change the one that was called `was`. Raises PostMortemError (field as in FIELDS)."""
    fresh = {
        name: typed(
            str(data.get(name, "")), name, name.capitalize(), longest, required=name in ("name", "words", "ask"),
            error=PostMortemError,
        )
        for name, longest in FIELDS.items()
    }  # fmt: skip
    if not any(part.strip(" *") for part in fresh["words"].split(",")):
        raise PostMortemError("words", "Name at least one word; a star alone stands for everything.")
    try:
        of_team(language, [fresh])
    except HintError as wrong:
        raise PostMortemError("words", str(wrong)) from None

    def change(row: WordList) -> str:
        kept = [one for one in row.added if one.get("name") != was]
        if any(one.get("name") == fresh["name"] for one in kept):
            raise PostMortemError("name", f"There is a wording “{fresh['name']}” already.")
        if len(kept) >= MOST_OWN:
            raise PostMortemError("name", f"{MOST_OWN} of your own are enough; nobody reads more hints than that.")
        row.added = [*kept, fresh]
        return f"Hints ask about “{fresh['name']}”."

    _change(language, change, actor)


def word_remove(name: str, actor: Any = None, language: str = "en") -> None:
    """Take one of the team's own away."""

    def change(row: WordList) -> str:
        row.added = [one for one in row.added if one.get("name") != name]
        return f"Hints do not ask about “{name}” any more."

    _change(language, change, actor)


def word_switch(name: str, on: bool, actor: Any = None, language: str = "en") -> None:
    """Use a wording of the file, or do not. Raises PostMortemError when there is none of this name."""
    if name not in {hint.name for hint in hints_of(language)}:
        raise PostMortemError("", "There is no such wording.", "unknown")

    def change(row: WordList) -> str:
        row.removed = [one for one in row.removed if one != name] + ([] if on else [name])
        return f"Hints {'ask' if on else 'do not ask'} about “{name}”."

    _change(language, change, actor)


def _change(language: str, change: Callable[[WordList], str], actor: Any) -> None:
    with transaction.atomic():
        WordList.objects.get_or_create(pk=language)
        row = WordList.objects.select_for_update().get(pk=language)
        why = change(row)
        row.save()
        name = "" if actor else "operator"
        event_write("postmortem.words", actor=actor, actor_name=name, subject=f"words:{language}", why=why)


HEAD = """# Wordings that get in the way of learning

While somebody writes a post-mortem, the page notices some wordings and asks a question beside the text. It never
blocks and never changes anything: one press keeps the words as they are. Each is listed here with its reason.

The list is `incidents/postmortems/words/{language}.toml`; this page is made of it. Another language is another file of
the same form. A team adds its own wordings, and leaves out what does not suit it, under *Post-mortems → Wordings*
(release managers and administrators).
"""


def document(language: str = "en") -> str:
    """docs/blameless-words.md, made of the language's file."""
    return HEAD.format(language=language) + "".join(_told(hint) for hint in hints_of(language))


def _told(hint: Hint) -> str:
    return (
        f"\n## {hint.name.capitalize()}\n\n"
        f"- **Why:** {hint.why}\n- **Ask instead:** {hint.ask}\n- **For example:** {hint.instead}\n"
        f"- **Noticed:** `{hint.pattern}`\n"
    )
