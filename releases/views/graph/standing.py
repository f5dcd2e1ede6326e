"""The graph from top (newest) to bottom, with its words beside it, for phones."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.html import escape
from django.utils.safestring import SafeString

from releases.views import words

from .data import Graph, TargetLane
from .pen import circle, cut, group, num, path, sway, text, wrap

MAIN_X, BRANCH_X, LANE = 12.0, 36.0, 24.0
TOP, ONE, TWO = 20.0, 34.0, 46.0


@dataclass(slots=True)
class Row:
    """One commit, or what is missing, with its words."""

    kind: str
    """base, between, commit, shipped, ghost, tip, arrival or uncut."""
    x: float
    sha: str
    says: str
    below: str = ""
    lane: int = -1
    y: float = 0.0


_CSS = {
    "base": "g-dot", "shipped": "g-dot", "commit": "g-fixd", "uncut": "g-ghost g-ghost--todo", "ghost": "g-ghost",
    "tip": "g-devd", "arrival": "g-backd", "todo": "g-ghost g-ghost--todo",
}  # fmt: skip
_RADIUS = {"base": 6, "shipped": 6, "ghost": 7, "uncut": 7, "todo": 7}


def standing(graph: Graph) -> SafeString:
    """The picture for phones."""
    rows = _rows(graph)
    y = TOP
    for row in rows:
        row.y = y
        y += TWO if row.below else ONE
    text_x = BRANCH_X + LANE * len(graph.drawn) + 26
    inside = _edges(graph, rows, y)
    inside += [circle(_CSS[row.kind], row.x, row.y, _RADIUS.get(row.kind, 5)) for row in rows]
    inside += [_words(row, text_x) for row in rows]
    return wrap("graph-m only-m", (358, 0, y), graph, "m", inside)


def _words(row: Row, x: float) -> str:
    room = int((358 - x) / 6.6)
    sha = f'<tspan class="g-sha">{escape(row.sha)}</tspan>  ' if row.sha else ""
    said = cut(words.visible(row.says), room - (len(row.sha) + 3 if row.sha else 0))
    first = f'<text x="{num(x)}" y="{num(row.y + 4)}">{sha}{escape(said)}</text>'
    second = text(x, row.y + 20, cut(row.below, room)) if row.below else ""
    return group("g-lbl" if row.kind == "ghost" else "g-x", first, second)


def _rows(graph: Graph) -> list[Row]:
    rows = [row for index, lane in enumerate(graph.drawn) for row in _target_rows(index, lane)]
    if graph.shipped is not None:
        tag = f", tag {graph.shipped.label}" if graph.shipped.label else ""
        rows.append(Row("shipped", MAIN_X, graph.shipped.sha, f"{graph.production}{tag}", graph.shipped_says))
    elif not graph.by_tag:
        rows.append(Row("todo", MAIN_X, "", f"not in {graph.production} yet"))
    for number, dot in enumerate(reversed(graph.commits)):
        where = f", on {graph.branch}" if number == len(graph.commits) - 1 else ""
        tagged = graph.tagged if number == 0 else None
        told = (f"tag {tagged.label}", graph.shipped_says if graph.by_tag else "") if tagged else ()
        rows.append(Row("commit", BRANCH_X, dot.sha, f"{dot.label}{where}", ", ".join(filter(None, told))))
    if not graph.cut:
        rows.append(Row("uncut", BRANCH_X, "", f"{graph.branch}, not made yet"))
    tag = f", tag {graph.base.label}" if graph.base.label else ""
    return [*rows, Row("base", MAIN_X, graph.base.sha, f"{graph.production}{tag}")]


def _target_rows(index: int, lane: TargetLane) -> list[Row]:
    x = BRANCH_X + LANE * (index + 1)
    below = lane.says[1] if len(lane.says) > 1 else ""
    if lane.arrival is not None:
        return [Row("arrival", x, lane.arrival.sha, f"{lane.name}, has it", below, index)]
    tip = Row("tip", x, lane.tip.sha if lane.tip else "", f"{lane.name}, tip", "" if lane.owed else below, index)
    if not lane.owed:
        return [tip]
    return [Row("ghost", x, "", f"merge-back into {lane.name}", below, index), tip]


def _edges(graph: Graph, rows: list[Row], bottom: float) -> list[str]:
    base = rows[-1]
    top = next((row for row in rows if row.kind in ("shipped", "todo")), base)
    edges = [path("g-main", "M", MAIN_X, top.y if graph.shipped else base.y, "V", bottom)]
    if top.kind == "todo":
        edges.append(path("g-todo", "M", MAIN_X, top.y + 8, "V", base.y - 7))
    branch = [row.y for row in rows if row.x == BRANCH_X]
    if branch:
        css = "g-fix" if graph.cut else "g-todo"
        edges.append(sway(css, (MAIN_X, base.y), (BRANCH_X, branch[-1]), 16))
        edges.append(path(css, "M", BRANCH_X, branch[-1], "V", branch[0]))
        if top is not base:
            edges.append(sway("g-fix" if graph.shipped else "g-todo", (BRANCH_X, branch[0]), (MAIN_X, top.y), 16))
    start = (MAIN_X, top.y if graph.shipped else base.y)
    if graph.shipped is None and graph.tagged is not None and branch:
        start = (BRANCH_X, branch[0])
    for row in rows:
        if row.kind in ("tip", "arrival"):
            edges.append(path("g-dev", "M", row.x, row.y, "V", bottom))
        if row.kind == "ghost":
            edges.append(sway("g-owed", start, (row.x, row.y + 8), 40))
            edges.append(path("g-owed", "M", row.x, row.y + TWO, "V", row.y + 8))
        if row.kind == "arrival" and graph.drawn[row.lane].merged:
            edges.append(sway("g-back", start, (row.x, row.y), 40))
    return edges
