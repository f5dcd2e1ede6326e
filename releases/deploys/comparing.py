"""What differs between two versions of a pipeline, step by step. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from difflib import SequenceMatcher
from enum import StrEnum
from typing import Any

from .spec import PipelineSpec, StepSpec


class How(StrEnum):
    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"
    MOVED = "moved"


@dataclass(frozen=True, slots=True)
class Field:
    """One value that differs; as text, several lines where a command has them."""

    name: str
    old: str
    new: str

    @property
    def lines(self) -> list[tuple[str, str]]:
        """Line by line, each with its sign: minus, plus, or a space where it stands in both."""
        old, new = self.old.splitlines(), self.new.splitlines()
        found: list[tuple[str, str]] = []
        for tag, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
            if tag == "equal":
                found += [(" ", line) for line in old[a:b]]
            else:
                found += [("-", line) for line in old[a:b]] + [("+", line) for line in new[c:d]]
        return found


@dataclass(frozen=True, slots=True)
class StepChange:
    """What became of one step. `number` is its place in the newer version, of a removed one in the older."""

    name: str
    how: How
    number: int
    fields: tuple[Field, ...] = ()

    @property
    def sentence(self) -> str:
        if self.how is How.CHANGED:
            return f"Step {self.name}: {', '.join(field.name for field in self.fields)} changed."
        return f"Step {self.name} is {'moved to place ' + str(self.number) if self.how is How.MOVED else self.how}."


def pipeline_differences(old: PipelineSpec | None, new: PipelineSpec) -> tuple[list[Field], list[StepChange]]:
    """What differs in what starts it, and in its steps; steps are told apart by their names."""
    before = old or PipelineSpec()
    start = [
        Field(name, getattr(before, name).value if old else "", getattr(new, name).value)
        for name in ("trigger", "naming")
        if not old or getattr(before, name) != getattr(new, name)
    ]
    was = {step.name: (number, step) for number, step in enumerate(before.steps, 1)}
    names = {step.name for step in new.steps}
    changes = [StepChange(name, How.REMOVED, number) for name, (number, _step) in was.items() if name not in names]
    moved = _moved([name for name in was if name in names], [step.name for step in new.steps if step.name in was])
    for number, step in enumerate(new.steps, 1):
        if step.name not in was:
            changes.append(StepChange(step.name, How.ADDED, number, tuple(step_differences(None, step))))
            continue
        if told := step_differences(was[step.name][1], step):
            changes.append(StepChange(step.name, How.CHANGED, number, tuple(told)))
        if step.name in moved:
            changes.append(StepChange(step.name, How.MOVED, number))
    return start, changes


def step_differences(old: StepSpec | None, new: StepSpec) -> list[Field]:
    """Field by field; of a new step what is not as usual."""
    usual = old or StepSpec("", new.kind)
    found = [] if old else [Field("kind", "", new.kind.value)]
    for item in fields(StepSpec):
        before, after = getattr(usual, item.name), getattr(new, item.name)
        if before != after and item.name != "name":
            found.append(Field(item.name.replace("_", " "), _said(before) if old else "", _said(after)))
    return found


def _said(value: Any) -> str:
    if isinstance(value, Mapping):
        return "\n".join(f"{name}={text}" for name, text in value.items())
    if isinstance(value, tuple):
        return ", ".join(value)
    if isinstance(value, float):
        return f"{value:g}"
    return str(value)


def _moved(before: list[str], after: list[str]) -> set[str]:
    """The fewest names whose moving makes one order of the same names the other."""
    place = {name: index for index, name in enumerate(before)}
    chains: list[list[str]] = []
    for name in after:
        longest: list[str] = max((c for c in chains if place[c[-1]] < place[name]), key=len, default=[])
        chains.append([*longest, name])
    kept = max(chains, key=len, default=[])
    return set(after) - set(kept)
