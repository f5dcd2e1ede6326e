"""The graph from left to right: production on top, the hotfix below it, then its targets."""

from __future__ import annotations

from dataclasses import dataclass, field

from django.utils.safestring import SafeString

from releases.views import words

from .data import Graph, TargetLane
from .pen import circle, cut, group, name_lines, path, swing, tag, tag_width, text, wrap

LEFT, RIGHT = 120.0, 876.0
BASE_X, SHIP_X = 168.0, 492.0
MAIN_Y, FIX_Y, TARGET_Y, STEP = 56.0, 132.0, 200.0, 60.0
TIP_X, GHOST_X = 650.0, 754.0
NAME = 16
"""Characters that fit into the margin."""
LABELLED = 2
"""Commits of a fix up to which each has its own words."""


@dataclass(slots=True)
class Drawing:
    """Edges lie below dots, dots below words."""

    edges: list[str] = field(default_factory=list)
    dots: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)


def lying(graph: Graph) -> SafeString:
    """The picture for wide screens."""
    out = Drawing()
    lanes = [(graph.production, MAIN_Y), (graph.branch, FIX_Y)]
    _production(graph, out)
    _branch(graph, out)
    for index, lane in enumerate(graph.drawn):
        y = TARGET_Y + STEP * index
        lanes.append((lane.name, y))
        _target(graph, lane, y, out)
    names = [_lane_name(name, y) for name, y in lanes]
    return wrap("hide-m", (880, 10, lanes[-1][1] + 26), graph, "w", [*names, *out.edges, *out.dots, *out.texts])


def _lane_name(name: str, y: float) -> str:
    lines = name_lines(name, NAME)
    first = y + 4 - 8 * (len(lines) - 1)
    return group("g-lane", *(text(0, first + 16 * index, line) for index, line in enumerate(lines)))


def _production(graph: Graph, out: Drawing) -> None:
    out.edges.append(path("g-main", "M", LEFT, MAIN_Y, "H", RIGHT))
    out.dots.append(circle("g-dot", BASE_X, MAIN_Y, 6))
    if graph.base.label:
        out.texts.append(tag(BASE_X, 16, graph.base.label))
    out.texts.append(text(BASE_X + 8, MAIN_Y + 24, graph.base.sha, "g-sha", "end"))
    gap = (SHIP_X - BASE_X) / (len(graph.between) + 1)
    out.dots += [circle("g-dot", BASE_X + gap * (index + 1), MAIN_Y, 4) for index in range(len(graph.between))]
    if graph.shipped is None:
        return
    out.dots.append(circle("g-dot", SHIP_X, MAIN_Y, 6))
    out.texts.append(text(SHIP_X, MAIN_Y + 24, graph.shipped.sha, "g-sha", "middle"))
    beside = SHIP_X + 14
    if graph.shipped.label:
        out.texts.append(tag(SHIP_X, 16, graph.shipped.label))
        beside = SHIP_X + tag_width(graph.shipped.label) / 2 + 9
    if graph.shipped_says:
        out.texts.append(text(beside, 31, cut(graph.shipped_says, 48)))


def _branch(graph: Graph, out: Drawing) -> None:
    """The way out of production and, where it went, back."""
    leave, back = (BASE_X + 72, FIX_Y), (SHIP_X - 92, FIX_Y)
    css = "g-fix" if graph.cut else "g-todo"
    out.edges.append(swing(css, (BASE_X, MAIN_Y), leave, 40))
    first, xs = BASE_X + 110, _ends(graph)
    end = back[0] if graph.shipped else (xs[-1] if graph.commits else first)
    out.edges.append(path(css, "M", *leave, "H", end))
    if graph.tagged is not None:
        _tag_below(graph, graph.tagged.label, xs[-1], out)
    if graph.shipped is None and not graph.by_tag:
        out.edges.append(path("g-todo", "M", end, FIX_Y, "H", back[0]))
        out.dots.append(circle("g-ghost g-ghost--todo", SHIP_X, MAIN_Y, 7))
        out.texts.append(text(SHIP_X, 31, "not in production yet", "", "middle"))
    if not graph.by_tag:
        out.edges.append(swing("g-fix" if graph.shipped else "g-todo", back, (SHIP_X, MAIN_Y), 46))
    if not graph.cut:
        middle = (first + SHIP_X - 124) / 2
        out.dots.append(circle("g-ghost g-ghost--todo", middle, FIX_Y, 7))
        out.texts.append(text(middle, FIX_Y + 24, "not made yet", "", "middle"))
    out.dots += [circle("g-fixd", x, FIX_Y, 5) for x, _ in zip(xs, graph.commits, strict=False)]
    out.texts += _commit_words(graph, xs)


def _tag_below(graph: Graph, name: str, x: float, out: Drawing) -> None:
    """The tag on the fix's own line, and since when it is production where it is that alone."""
    out.texts.append(tag(x, FIX_Y + 31, name))
    if graph.by_tag:
        out.texts.append(text(x + tag_width(name) / 2 + 9, FIX_Y + 46, cut(graph.shipped_says, 48)))


def _start(graph: Graph) -> tuple[float, float]:
    """Where the way to the targets begins: where the fix came into production, or carries its tag."""
    if graph.shipped is not None:
        return SHIP_X, MAIN_Y
    return (_ends(graph)[-1], FIX_Y) if graph.tagged is not None else (BASE_X, MAIN_Y)


def _ends(graph: Graph) -> list[float]:
    """Where the fix's commits stand, from left to right; one place where there is none yet."""
    first, last = BASE_X + 110, SHIP_X - 124
    count = len(graph.commits)
    return [first + (last - first) * index / (count - 1) for index in range(count)] if count > 1 else [first + 45]


def _commit_words(graph: Graph, xs: list[float]) -> list[str]:
    if len(graph.commits) <= LABELLED:
        below = [text(x, FIX_Y + 24, dot.sha, "g-sha", "middle") for x, dot in zip(xs, graph.commits, strict=False)]
        return below + [
            text(x, FIX_Y - 16, cut(dot.label, 13), "", "middle") for x, dot in zip(xs, graph.commits, strict=False)
        ]
    middle = (xs[0] + xs[-1]) / 2
    count = words.plural(len(graph.commits) + graph.left_out, "commit")
    return [
        text(middle, FIX_Y - 16, count, "", "middle"),
        text(middle, FIX_Y + 24, f"{graph.commits[0].sha} … {graph.commits[-1].sha}", "g-sha", "middle"),
    ]


def _target(graph: Graph, lane: TargetLane, y: float, out: Drawing) -> None:
    out.edges.append(path("g-dev", "M", LEFT, y, "H", TIP_X))
    count = len(lane.dots)
    gap = (TIP_X - 150) / max(1, count - 1)
    places = {dot.sha: TIP_X - gap * (count - 1 - index) for index, dot in enumerate(lane.dots)}
    arrived = lane.arrival.sha if lane.arrival else ""
    tip = lane.tip.sha if lane.tip else ""
    for sha, x in places.items():
        if sha != arrived:
            out.dots.append(circle("g-devd", x, y, 5 if sha == tip else 4))
    if tip and tip != arrived:
        out.texts.append(text(TIP_X, y + 22, tip, "g-sha", "middle"))
    if arrived:
        _arrival(graph, lane, (places.get(arrived, LEFT + 8), y), out)
    elif lane.owed:
        out.edges.append(swing("g-owed", _start(graph), (GHOST_X, y), 150))
        out.edges.append(path("g-owed", "M", TIP_X + 9, y, "H", GHOST_X - 8))
        out.dots.append(circle("g-ghost", GHOST_X, y, 8))
    out.texts.append(_lane_words(lane, y))


def _lane_words(lane: TargetLane, y: float) -> str:
    css = "g-lbl" if lane.owed else "g-lbl g-lbl--ok" if lane.arrival else "g-lbl g-lbl--idle"
    x, lines = (GHOST_X + 22 if lane.owed else TIP_X + 36), lane.says[:2]
    first = y + 4 - 8 * (len(lines) - 1)
    room = 16 if lane.owed else 32
    return group(css, *(text(x, first + 16 * index, cut(line, room)) for index, line in enumerate(lines)))


def _arrival(graph: Graph, lane: TargetLane, place: tuple[float, float], out: Drawing) -> None:
    """The commit by which the fix came to a target; a line leads there when it was a merge."""
    start = _start(graph) if graph.shipped or graph.tagged else (BASE_X + 155, FIX_Y)
    if lane.merged and place[0] > start[0] + 30:
        out.edges.append(swing("g-back", start, place, min(110.0, (place[0] - start[0]) * 0.6)))
    out.dots.append(circle("g-backd", *place, 5))
    out.texts.append(text(place[0], place[1] + 22, lane.arrival.sha if lane.arrival else "", "g-sha", "middle"))
