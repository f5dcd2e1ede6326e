"""What people type into a reason, a title or a key: checked once, refused with a sentence. No I/O."""

from __future__ import annotations

import re

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_TURNING = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def straight(text: str) -> str:
    """Without characters that turn the direction of writing round: for texts that leave the pages."""
    return _TURNING.sub("", text)


class Refused(Exception):
    """It cannot be done as asked. `field` names the input it is about (empty: none), `code` is stable, and the text
    is a sentence for people."""

    def __init__(self, field: str, sentence: str, code: str = "invalid") -> None:
        super().__init__(sentence)
        self.field = field
        self.sentence = sentence
        self.code = code


def typed(
    text: str, field: str, name: str, longest: int, *, lines: bool = False, required: bool = True,
    error: type[Refused] = Refused,
) -> str:  # fmt: skip
    """`text` fit to be stored and shown. Raises `error` for nothing, too much, or characters that mislead.

    `name` is how the sentence calls it; `lines` allows line breaks and tabs.
    """
    kept = text.replace("\r\n", "\n").strip()
    if not kept and required:
        raise error(field, f"{name} is missing. Write at least a few words.", "missing")
    if len(kept) > longest:
        raise error(field, f"{name} is longer than {longest:,} characters. Shorten it.", "too-long")
    if _CONTROL.search(kept) or (not lines and re.search(r"[\n\t]", kept)):
        raise error(field, f"{name} holds control characters. Type it anew, on one line.", "characters")
    if _TURNING.search(kept):
        raise error(field, f"{name} holds characters that change the direction of text. Remove them.", "characters")
    return kept
