"""Triage: three questions, and what follows from the answers. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from releases.policies.typed import typed

from .errors import HotfixError


class Track(StrEnum):
    """Where a problem goes."""

    HOTFIX = "hotfix"
    REGULAR = "regular"

    @property
    def label(self) -> str:
        return {"hotfix": "Hotfix", "regular": "Next regular release"}[self.value]


@dataclass(frozen=True, slots=True)
class Question:
    """One question of triage; every one must be answered yes for a hotfix."""

    key: str
    text: str
    otherwise: str
    """What a no means, as the reason for the regular release."""


QUESTIONS = (
    Question(
        "critical", "Does it hit a core function, data or security, critically?",
        "no core function, no data and no security is critically hit",
    ),
    Question(
        "production", "Is it only in production, and hurting users now?", "it is not hurting users in production now"
    ),
    Question("no_workaround", "Is there no workaround?", "there is a workaround"),
)  # fmt: skip
LONGEST_WHY = 1000


@dataclass(frozen=True, slots=True)
class Answer:
    """Yes or no, with a short reason."""

    yes: bool
    why: str


@dataclass(frozen=True, slots=True)
class Triage:
    """What was answered and what follows."""

    answers: Mapping[str, Answer]
    says: Track
    follows: str
    """One sentence."""

    def as_data(self) -> dict[str, Any]:
        asked = [
            {"key": question.key, "question": question.text, "yes": answer.yes, "why": answer.why}
            for question in QUESTIONS
            if (answer := self.answers.get(question.key))
        ]
        return {"answers": asked, "says": self.says.value, "follows": self.follows}


def triage(answers: Mapping[str, Answer]) -> Triage:
    """What follows from the three answers. Raises HotfixError when one, or its reason, is missing."""
    checked: dict[str, Answer] = {}
    for question in QUESTIONS:
        answer = answers.get(question.key)
        if answer is None:
            raise HotfixError(question.key, f"Answer this one too: {question.text}", "missing")
        why = typed(answer.why, question.key, "The reason", LONGEST_WHY, lines=True, error=HotfixError)
        checked[question.key] = Answer(answer.yes, why)
    against = [question.otherwise for question in QUESTIONS if not checked[question.key].yes]
    if against:
        return Triage(checked, Track.REGULAR, f"It goes into the next regular release: {_and(against)}.")
    return Triage(checked, Track.HOTFIX, "It is a hotfix: critical, hurting users in production, and no workaround.")


def _and(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]
