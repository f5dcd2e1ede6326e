"""Small words for people: ages, counts, and text from strangers made harmless. No git, no I/O."""

from __future__ import annotations

import re
import unicodedata

_UNSAFE = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u00ad\u061c\u115f\u1160\u180e\u200b-\u200f\u2028-\u202e\u2060-\u2064\u2066-\u206f\u3164\ufeff"
    r"\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"
)


def harmless(text: str) -> str:
    """The text on one line without anything that could steer a terminal or reorder what is read.

    Control characters become their visible pictures, bidi controls and invisible characters a replacement mark.
    """
    return _UNSAFE.sub(_visible, text)


def _visible(found: re.Match[str]) -> str:
    number = ord(found[0])
    if found[0] in "\t\n\r":
        return " "
    if number < 0x20:
        return chr(0x2400 + number)
    return "\u2421" if number == 0x7F else "\ufffd"


def width(text: str) -> int:
    """Columns that the text takes in a terminal."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text
    )


def fit(text: str, columns: int) -> str:
    """The text in exactly this many columns: cut with an ellipsis, or padded."""
    if width(text) > columns:
        kept, used = [], 0
        for char in text:
            used += width(char)
            if used > columns - 1:
                break
            kept.append(char)
        text = "".join(kept).rstrip() + "…"
    return text + " " * (columns - width(text))


def age(seconds: float) -> str:
    """A duration in its two largest units: `24 d`, `4 d 6 h`, `2 h 25 m`, `40 s`; at most eight characters."""
    left = max(0, int(seconds))
    if left < 60:
        return f"{left} s"
    days, left = divmod(left, 86_400)
    hours, left = divmod(left, 3_600)
    if days >= 10:
        return f"{days} d"
    if days:
        return f"{days} d {hours} h" if hours else f"{days} d"
    return f"{hours} h {left // 60} m" if hours else f"{left // 60} m"


def count(number: int, one: str, many: str = "") -> str:
    """`1 fix`, `2 fixes`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
