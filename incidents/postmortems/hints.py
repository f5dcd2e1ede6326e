"""Gentle hints at wordings that blame or end a question too early. They explain themselves and never block. Pure.

A language is a file in words/; a team adds to it and takes from it.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

WORDS = Path(__file__).parent / "words"
LONGEST_PATTERN = 400
LONGEST_TEXT = 50_000
"""Characters that are looked at; hints are for prose, not for pasted logs."""
MOST = 100


class HintError(ValueError):
    """A team's own hint cannot be used; the message is a sentence."""


@dataclass(frozen=True, slots=True)
class Hint:
    """What to look out for."""

    name: str
    pattern: str
    why: str
    ask: str
    instead: str


@dataclass(frozen=True, slots=True)
class Found:
    """A place in a text."""

    hint: Hint
    start: int
    end: int
    quote: str
    sentence: str


@lru_cache(maxsize=8)
def hints_of(language: str) -> tuple[Hint, ...]:
    """The hints of a language; those of English when there is no such file."""
    path = WORDS / f"{language}.toml"
    if not re.fullmatch(r"[a-z]{2,3}(-[A-Z]{2})?", language) or not path.is_file():
        path = WORDS / "en.toml"
    return tuple(_hint(row) for row in tomllib.loads(path.read_text(encoding="utf-8"))["hint"])


def languages() -> list[str]:
    """Those that there is a file for."""
    return sorted(path.stem for path in WORDS.glob("*.toml"))


def of_team(language: str, added: Sequence[Mapping[str, Any]] = (), removed: Sequence[str] = ()) -> tuple[Hint, ...]:
    """A language's hints as a team wants them. Raises HintError for an addition that cannot be used."""
    own = tuple(_checked(row) for row in added)
    names = {hint.name for hint in own} | set(removed)
    return tuple(hint for hint in hints_of(language) if hint.name not in names) + own


def hints_in(text: str, hints: Sequence[Hint], *, people: Sequence[str] = (), kept: Sequence[str] = ()) -> list[Found]:
    """Where the text uses such wordings, in order; at most one at any place.

    `people` are names by which somebody is known here; `kept` are quotes that the writers chose to keep.
    """
    looked = text[:LONGEST_TEXT]
    names = "|".join(re.escape(name) for name in people if len(name) > 2) or r"(?!)"
    keep = {quote.casefold() for quote in kept}
    found: list[Found] = []
    for hint in hints:
        for match in _compiled(hint.pattern, names).finditer(looked):
            free = not any(match.start() < other.end and other.start < match.end() for other in found)
            if match[0].strip() and free and match[0].casefold() not in keep:
                found.append(Found(hint, match.start(), match.end(), match[0], _sentence(looked, match.start())))
            if len(found) >= MOST:
                return sorted(found, key=lambda one: one.start)
    return sorted(found, key=lambda one: one.start)


@lru_cache(maxsize=256)
def _compiled(pattern: str, names: str) -> re.Pattern[str]:
    return re.compile(pattern.replace("{people}", names), re.IGNORECASE)


def _hint(row: Mapping[str, Any]) -> Hint:
    return Hint(row["name"], row["pattern"], row["why"], row["ask"], row.get("instead", ""))


def _checked(row: Mapping[str, Any]) -> Hint:
    """A team's own hint: plain words, with a star for any letters; no expressions that could run for ever."""
    name, words, why, ask = (str(row.get(key, "")).strip() for key in ("name", "words", "why", "ask"))
    if not name or not words or not ask:
        raise HintError("A hint has a name, words to look for, and a question to ask instead.")
    if len(words) > LONGEST_PATTERN:
        raise HintError(f"Keep the words of “{name}” below {LONGEST_PATTERN} characters.")
    parts = [re.escape(part.strip()).replace(r"\*", r"\w{0,20}") for part in words.split(",") if part.strip()]
    return Hint(name, rf"\b(?:{'|'.join(parts)})\b", why, ask, str(row.get("instead", "")).strip())


def _sentence(text: str, at: int) -> str:
    """The sentence that stands at this place, for quoting."""
    start = max(text.rfind(mark, 0, at) for mark in (". ", "! ", "? ", "\n")) + 1
    ends = [end for mark in (". ", "! ", "? ", "\n") if (end := text.find(mark, at)) >= 0]
    return text[start : min(ends, default=len(text)) + 1].strip()[:300]
