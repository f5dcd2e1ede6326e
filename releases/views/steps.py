"""Stages as a stepper shows them: node, words, times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.utils import timezone

from releases.hotfixes.stages import NOT_TRACKED, Stage, StageKey, StageState

from . import words

_CSS = {
    StageState.DONE: "is-done", StageState.RUNNING: "is-run", StageState.WAITING: "is-you", StageState.OWED: "is-owed",
    StageState.FAILED: "is-bad", StageState.TODO: "is-next", StageState.SKIPPED: "is-skip",
}  # fmt: skip
_ICONS = {
    StageState.DONE: "check", StageState.RUNNING: "loader", StageState.WAITING: "user", StageState.FAILED: "x",
    StageState.SKIPPED: "minus",
}  # fmt: skip
_WORDS = {
    StageState.DONE: "done", StageState.RUNNING: "running", StageState.WAITING: "waiting", StageState.OWED: "owed",
    StageState.FAILED: "needs a look", StageState.TODO: "not started", StageState.SKIPPED: "not needed",
}  # fmt: skip
IN_FLIGHT = (
    StageKey.TRIAGE, StageKey.BRANCH, StageKey.FIX, StageKey.REVIEW, StageKey.TAG, StageKey.PRODUCTION,
    StageKey.MERGE_BACK, StageKey.CLEAN_UP,
)  # fmt: skip
"""The stages that the timetable of the overview has room for."""


@dataclass(frozen=True, slots=True)
class Step:
    """One node with what stands below it."""

    key: str
    label: str
    css: str
    icon: str
    state: str
    """The state in a word."""
    at: datetime | None
    took: str
    detail: str
    current: bool = False

    @property
    def when(self) -> str:
        """`10:08` today, `Thu 19 Nov` before."""
        if self.at is None:
            return ""
        today = timezone.localdate() == timezone.localtime(self.at).date()
        return f"{timezone.localtime(self.at):%H:%M}" if today else words.day(self.at).removeprefix("yesterday,")

    @property
    def below(self) -> list[str]:
        """The lines below its name: when and how long, or what it waits for."""
        if self.css == "is-done":
            return [line for line in (self.when, self.took) if line]
        if self.css in ("is-next", "is-skip"):
            return [self.detail] if self.detail and self.detail != NOT_TRACKED else []
        told = self.detail.startswith(self.state)
        return [self.detail] if told else [line for line in (self.state, self.detail) if line]

    @property
    def hint(self) -> str:
        """Everything about it in one line, for the pointer and for those who listen."""
        parts = [f"{self.label}: {self.state}"]
        if self.at:
            parts.append(words.clock(self.at))
        if self.took:
            parts.append(f"took {self.took}")
        return ", ".join([*parts, self.detail] if self.detail else parts)


def moment_of(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def step(stage: Stage, current: bool = False) -> Step:
    """A stage with its looks."""
    css = _CSS[stage.state]
    took = words.duration(stage.took) if stage.took and stage.took >= 1 else ""
    return Step(
        stage.key.value, stage.key.label, css, _ICONS.get(stage.state, ""), _WORDS[stage.state],
        moment_of(stage.at), took, stage.detail, current,
    )  # fmt: skip


def stepper(stages: Sequence[Stage], current: str) -> list[Step]:
    """All steps; the line that leads to an owed one is dashed."""
    return [step(stage, stage.key == current) for stage in stages]


def timetable(stages: Sequence[Stage], current: str) -> list[Step]:
    """The few of the overview."""
    return [step(stage, stage.key == current) for stage in stages if stage.key in IN_FLIGHT]


def place(stages: Sequence[Stage], current: str) -> int:
    """The number of the current step, from 1; 0 when it is not known."""
    return next((number for number, stage in enumerate(stages, 1) if stage.key == current), 0)


def since(stages: Sequence[Stage], current: str, opened: datetime) -> timedelta:
    """How long it has been at the current step: since the last one that was reached, or without any since `opened`.

    A ticket may have been opened long after its fix went out: what has waited since then has waited no shorter.
    """
    reached = [moment for stage in stages if stage.state is StageState.DONE and (moment := moment_of(stage.at))]
    if current == StageKey.TRIAGE:
        return timezone.now() - opened
    return timezone.now() - max(reached, default=opened)
