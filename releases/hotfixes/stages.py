"""The fourteen stages of a hotfix, computed from facts. Plain data; no I/O, no Django."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class StageKey(StrEnum):
    TRIAGE = "triage"
    BRANCH = "branch"
    FIX = "fix"
    REVIEW = "review"
    TAG = "tag"
    TESTS = "tests"
    BUILD = "build"
    STAGING = "staging"
    APPROVAL = "approval"
    PRODUCTION = "production"
    VERIFY = "verify"
    MERGE_BACK = "merge-back"
    CLEAN_UP = "clean-up"
    POST_MORTEM = "post-mortem"

    @property
    def label(self) -> str:
        return self.value.capitalize()

    @classmethod
    def choices(cls) -> list[tuple[str, str]]:
        return [(key.value, key.label) for key in cls]


class StageState(StrEnum):
    """How a step of the stepper looks; each has an icon and a word."""

    TODO = "todo"
    """Not reached."""
    WAITING = "waiting"
    """Waits for a person."""
    RUNNING = "running"
    """Goes on by itself."""
    DONE = "done"
    OWED = "owed"
    """Due, and the next release would suffer."""
    FAILED = "failed"
    SKIPPED = "skipped"
    """Not needed here; the detail says why."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One step as observed."""

    key: StageKey
    state: StageState
    at: float | None = None
    """When it was reached, in seconds since 1970; None when it is not, or nobody knows."""
    took: float | None = None
    """Seconds since the stage before it was reached."""
    detail: str = ""
    """The line below: `owed`, `due 26 Nov`, `by Aiko`."""

    def as_data(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_data(cls, data: dict[str, Any]) -> Stage:
        return cls(StageKey(data["key"]), StageState(data["state"]), data["at"], data["took"], data["detail"])
