"""The parts of a post-mortem, in order, each with the question that it answers. Pure data."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the document that people write."""

    key: str
    title: str
    asks: str
    begins: str = ""
    """How an answer may begin; shown in the empty field."""
    needed: bool = True
    """Must be written before anybody is asked to review."""


PARTS: tuple[Part, ...] = (
    Part(
        "summary", "Summary",
        "What happened, in three sentences a new colleague would understand.",
    ),
    Part(
        "impact", "Impact",
        "Who was hurt, how, and for how long. The numbers stand above.",
        needed=False,
    ),
    Part(
        "factors", "Contributing factors",
        "What made this possible? Tools, code, time, knowledge. There is usually more than one.",
    ),
    Part(
        "occur", "Why did it occur?",
        "Follow the change, not the person: which assumption turned out to be wrong?",
        begins="We assumed that…",
    ),
    Part(
        "caught", "Why was it not caught?",
        "Which check, test or review could have shown it, and what kept it from doing so?",
        begins="The tests cover… but not…",
    ),
    Part(
        "change", "What will change?",
        "What keeps the whole class of such bugs out, so that nobody has to be more careful?",
    ),
    Part(
        "sense", "What made sense at the time?",
        "What did people know, see and expect when they decided as they did?",
        begins="On the screen stood…",
    ),
    Part(
        "well", "What went well",
        "What helped, and should stay as it is?",
        needed=False,
    ),
    Part(
        "badly", "What went badly",
        "What got in the way of noticing, deciding or mending?",
        needed=False,
    ),
    Part(
        "lucky", "Where we were lucky",
        "What could have made it worse, and did not by chance?",
        needed=False,
    ),
)  # fmt: skip
BY_KEY = {part.key: part for part in PARTS}
