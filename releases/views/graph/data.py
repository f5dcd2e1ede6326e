"""What a branch graph shows, and the same in sentences."""

from __future__ import annotations

from dataclasses import dataclass

from releases.views import words

TARGETS = 4
"""Targets that are drawn."""
COMMITS = 5
"""Commits of a fix that are drawn."""


@dataclass(frozen=True, slots=True)
class Dot:
    """A commit in a lane."""

    sha: str
    label: str = ""
    """What it is called: a tag, or a word for the change."""


@dataclass(frozen=True, slots=True)
class TargetLane:
    """A branch that must have the fix."""

    name: str
    dots: tuple[Dot, ...]
    """Its last commits, oldest first; the last one is its tip."""
    arrival: Dot | None = None
    """The commit by which the fix came, where it did."""
    merged: bool = False
    """It came by a merge, so that a line leads there."""
    owed: bool = False
    says: tuple[str, ...] = ()
    """Beside the end of the lane, a line or two: `merge-back`, `owed 2 h 25 m`."""

    @property
    def tip(self) -> Dot | None:
        return self.dots[-1] if self.dots else None


@dataclass(frozen=True, slots=True)
class Graph:
    """What is drawn."""

    key: str
    production: str
    branch: str
    base: Dot
    between: tuple[Dot, ...] = ()
    """What production got between the base and the fix."""
    commits: tuple[Dot, ...] = ()
    left_out: int = 0
    """Commits of the fix that are not drawn."""
    shipped: Dot | None = None
    """Where the fix reached production."""
    tagged: Dot | None = None
    """The fix's own commit that carries the tag, where the tag is not on production's line."""
    shipped_says: str = ""
    """Since when it is in production; said where it is there by its tag alone, too."""
    cut: bool = True
    """Whether the branch was made."""
    targets: tuple[TargetLane, ...] = ()

    @property
    def drawn(self) -> tuple[TargetLane, ...]:
        return self.targets[:TARGETS]

    @property
    def by_tag(self) -> bool:
        """It is in production by its tag alone: nothing leads back to production's line."""
        return self.shipped is None and self.tagged is not None and bool(self.shipped_says)

    @property
    def describes(self) -> str:
        """The same in sentences, for those who do not see it."""
        told = [_tell_branch(self), _tell_shipped(self), *(_tell_target(self, lane) for lane in self.targets)]
        return " ".join(told)


def _tell_branch(graph: Graph) -> str:
    base = words.visible(graph.base.label or graph.base.sha)
    branch, production = words.visible(graph.branch), words.visible(graph.production)
    if not graph.cut:
        return f"{branch} is not there yet; it will leave {production} at {base}."
    count = len(graph.commits) + graph.left_out
    held = words.plural(count, "commit") if count else "no commit yet"
    return f"{branch} left {production} at {base} and has {held}."


def _tell_shipped(graph: Graph) -> str:
    production = words.visible(graph.production)
    tag = ""
    if graph.tagged is not None:
        tag = f"The tag {words.visible(graph.tagged.label)} is on its own commit {words.visible(graph.tagged.sha)}. "
    if graph.shipped is None:
        return f"{tag}It is in production by its tag." if graph.by_tag else f"{tag}It is not in {production} yet."
    return f"{tag}It is in {production} as {words.visible(graph.shipped.label or graph.shipped.sha)}."


def _tell_target(graph: Graph, lane: TargetLane) -> str:
    name = words.visible(lane.name)
    if lane.arrival is not None:
        return f"{name} has it since {words.visible(lane.arrival.sha)}."
    if lane.owed:
        source = graph.shipped or graph.tagged
        start = words.visible(source.label or source.sha) if source else "the fix"
        return f"The edge from {start} to {name} is missing."
    told = ", ".join(lane.says)
    return f"{name}: {words.visible(told)}." if told else f"{name} is one of its targets."
