"""Pieces of SVG. Every text is made visible and escaped here, so that no name from git can be markup."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils.html import escape, format_html
from django.utils.safestring import SafeString, mark_safe

from releases.views import words

from .data import Graph

Place = tuple[float, float]


def num(value: float) -> str:
    """At most one digit behind the point."""
    return f"{value:.1f}".removesuffix(".0")


def path(css: str, *steps: str | float) -> str:
    """`path("g-main", "M", 0, 10, "H", 40)`."""
    drawn = " ".join(step if isinstance(step, str) else num(step) for step in steps)
    return f'<path class="{css}" d="{drawn}"/>'


def swing(css: str, start: Place, end: Place, bend: float) -> str:
    """A line that leaves and arrives level, turning within `bend` of either end."""
    return path(css, "M", *start, "C", start[0] + bend, start[1], end[0] - bend, end[1], *end)


def sway(css: str, start: Place, end: Place, bend: float) -> str:
    """The same upright: from below at `start` to above at `end`."""
    return path(css, "M", *start, "C", start[0], start[1] - bend, end[0], end[1] + bend, *end)


def circle(css: str, x: float, y: float, r: float) -> str:
    return f'<circle class="{css}" cx="{num(x)}" cy="{num(y)}" r="{num(r)}"/>'


def text(x: float, y: float, said: str, css: str = "", anchor: str = "") -> str:
    """A line of text; `anchor` middle or end, else it starts at `x`."""
    extra = (f' text-anchor="{anchor}"' if anchor else "") + (f' class="{css}"' if css else "")
    return f'<text x="{num(x)}" y="{num(y)}"{extra}>{escape(words.visible(said))}</text>'


def group(css: str, *inside: str) -> str:
    return f'<g class="{css}">{"".join(inside)}</g>'


def cut(said: str, length: int) -> str:
    """At most so many characters; what was cut ends in an ellipsis."""
    return said if len(said) <= length else said[: length - 1] + "…"


def tag_width(name: str) -> float:
    return max(30.0, 7.4 * len(cut(words.visible(name), 22)) + 10)


def tag(x: float, y: float, name: str) -> str:
    """A tag in its box, centred on `x`; `y` is the top."""
    width = tag_width(name)
    box = f'<rect x="{num(x - width / 2)}" y="{num(y)}" width="{num(width)}" height="22" rx="4"/>'
    return group("g-tag", box, text(x, y + 15, cut(words.visible(name), 22)))


def name_lines(name: str, room: int) -> list[str]:
    """A branch name over two lines at most, parted behind its last slash where that helps."""
    shown = words.visible(name)
    if len(shown) <= room:
        return [shown]
    head, slash, tail = shown.rpartition("/")
    if slash:
        return [cut(head + slash, room), cut(tail, room)]
    return [shown[:room], cut(shown[room:], room)]


def wrap(css: str, size: tuple[float, float, float], graph: Graph, part: str, inside: Sequence[str]) -> SafeString:
    """The picture with title and description. `size`: width, top, height; `part` tells two pictures of a page apart."""
    width, top, height = (num(value) for value in size)
    head = format_html(
        '<svg class="graph {}" viewBox="0 {} {} {}" role="img" aria-labelledby="g-t-{} g-d-{}">'
        '<title id="g-t-{}">Branch graph of {}</title><desc id="g-d-{}">{}</desc>',
        css, top, width, height, part, part, part, words.visible(graph.key), part, graph.describes,
    )  # fmt: skip
    return mark_safe(head + "".join(inside) + "</svg>")  # noqa: S308 - every text in it was escaped
