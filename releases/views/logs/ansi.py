"""A line that a program wrote for a terminal, as markup: colours become classes, everything else is made harmless.

Each line stands for itself: a colour that is not ended does not run into the next line. Pure functions.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import escape

from releases.projects.patches import visible

LONGEST = 4000
"""Characters of a line that a page shows; the raw log has all of it."""
_ESCAPE = re.compile(
    r"\x1b(?:\[(?P<sgr>[0-9;:]*)m"  # colours
    r"|\[[0-?]*[ -/]*[@-~]"  # anything else about the cursor and the screen
    r"|\][^\x07\x1b]*(?:\x07|\x1b\\)?"  # titles and links
    r"|[PX^_][^\x1b]*(?:\x1b\\)?"
    r"|[ -/]*[0-~])"
)
_HUES = "krgybmcw"
"""Black, red, green, yellow, blue, magenta, cyan, white: the eight colours of a terminal, by number."""


@dataclass(slots=True)
class _Pen:
    """How what follows is to be written."""

    colour: str = ""
    ground: str = ""
    bold: bool = False
    dim: bool = False
    italic: bool = False
    under: bool = False
    swapped: bool = False

    @property
    def css(self) -> str:
        front, back = (self.ground or "w", self.colour or "k") if self.swapped else (self.colour, self.ground)
        found = [
            # On a ground of its own the text keeps the page's ink, which is legible on every one of them.
            f"lg-{back}" if back else f"lc-{front}" if front and front not in "kw" else "",
            "l-b" if self.bold else "", "l-d" if self.dim and not back else "", "l-i" if self.italic else "",
            "l-u" if self.under else "",
        ]  # fmt: skip
        return " ".join(name for name in found if name)

    def take(self, codes: str) -> None:
        """Follow one colour sequence, such as `1;31`."""
        left = [int(part or 0) if len(part) < 6 else -1 for part in re.split("[;:]", codes or "0")]
        while left:
            code = left.pop(0)
            if code in (38, 48):
                self._extended(code == 38, left)
            else:
                self._simple(code)

    def _simple(self, code: int) -> None:
        if code == 0:
            self.__init__()  # type: ignore[misc]
        elif code in (1, 2, 3, 4, 7):
            setattr(self, {1: "bold", 2: "dim", 3: "italic", 4: "under", 7: "swapped"}[code], True)
        elif code in (21, 22):
            self.bold = self.dim = False
        elif code in (23, 24, 27):
            setattr(self, {23: "italic", 24: "under", 27: "swapped"}[code], False)
        elif 30 <= code <= 37 or 90 <= code <= 97:
            self.colour = "x" if code == 90 else _HUES[code % 10]
        elif 40 <= code <= 47 or 100 <= code <= 107:
            self.ground = _HUES[code % 10]
        elif code == 39:
            self.colour = ""
        elif code == 49:
            self.ground = ""

    def _extended(self, front: bool, left: list[int]) -> None:
        """`38;5;n` and `38;2;r;g;b`: the nearest of the eight."""
        kind = left.pop(0) if left else -1
        hue = ""
        if kind == 5 and left:
            hue = _of_palette(left.pop(0))
        elif kind == 2 and len(left) >= 3:
            hue = _of_rgb(left.pop(0), left.pop(0), left.pop(0))
        if front:
            self.colour = hue
        else:
            self.ground = hue


def _of_palette(number: int) -> str:
    if not 0 <= number <= 255:
        return ""
    if number < 16:
        return "x" if number == 8 else _HUES[number % 8]
    if number >= 232:
        return "x" if number < 246 else "w"
    levels = (0, 95, 135, 175, 215, 255)
    cube = number - 16
    return _of_rgb(levels[cube // 36], levels[cube // 6 % 6], levels[cube % 6])


def _of_rgb(red: int, green: int, blue: int) -> str:
    strongest, weakest = max(red, green, blue), min(red, green, blue)
    if strongest - weakest < 50:
        return "k" if strongest < 60 else "x" if strongest < 150 else "w"
    middle = (strongest + weakest) / 2
    return {
        (True, False, False): "r", (False, True, False): "g", (False, False, True): "b", (True, True, False): "y",
        (False, True, True): "c", (True, False, True): "m",
    }.get((red > middle, green > middle, blue > middle), "w")  # fmt: skip


def plain(text: str) -> str:
    """What a reader of the line sees, without colours: what was written over with a carriage return is gone."""
    return _ESCAPE.sub("", _last_writing(text)) if "\x1b" in text or "\r" in text else text


def markup(text: str) -> str:
    """The line as safe HTML."""
    cut = len(text) - LONGEST
    if cut > 0:
        text = text[:LONGEST]
    if "\r" in text:
        text = _last_writing(text)
    shown = escape(visible(text)) if "\x1b" not in text else _coloured(text)
    return f'{shown}<span class="l-cut"> … {cut:,} more characters, see the raw log</span>' if cut > 0 else shown


def _last_writing(text: str) -> str:
    """A progress bar writes over itself: what stood last stays."""
    parts = [part for part in text.split("\r") if part]
    return parts[-1] if parts else ""


def _coloured(text: str) -> str:
    pen, parts, at = _Pen(), [], 0
    for found in _ESCAPE.finditer(text):
        parts.append(_written(text[at : found.start()], pen))
        at = found.end()
        if found["sgr"] is not None:
            pen.take(found["sgr"])
    parts.append(_written(text[at:], pen))
    return "".join(parts)


def _written(text: str, pen: _Pen) -> str:
    if not text:
        return ""
    shown, css = escape(visible(text)), pen.css
    return f'<span class="{css}">{shown}</span>' if css else shown
