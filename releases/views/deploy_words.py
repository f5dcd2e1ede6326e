"""How pages say what a run or a step is and does: titles, tones, icons, times."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils import timezone

from releases.deploys.models import Approval, Run, Step

from . import links, words

STATES: dict[str, tuple[str, str]] = {
    "asked": ("you", "user"), "queued": ("idle", "clock"), "running": ("run", "loader"), "paused": ("you", "user"),
    "lost": ("warn", "wifi-off"), "watching": ("run", "activity"), "done": ("ok", "circle-check"),
    "failed": ("bad", "circle-x"), "aborted": ("warn", "octagon-x"), "abandoned": ("idle", "circle-pause"),
    "rejected": ("bad", "circle-x"), "void": ("warn", "circle-alert"), "expired": ("idle", "clock"),
    "cancelled": ("idle", "minus"),
}  # fmt: skip
"""Tone and icon of each state of a run."""
_STEPS: dict[str, tuple[str, str, str]] = {
    "todo": ("idle", "circle", "not begun"), "running": ("run", "loader", "running"),
    "waiting": ("you", "user", "waits"), "done": ("ok", "circle-check", "done"),
    "failed": ("bad", "circle-x", "failed"), "skipped": ("idle", "minus", "not needed"),
}  # fmt: skip
_TRIGGERS = {
    "tag": "by a new tag", "main": "by a merge to main", "promotion": "by promotion", "verify": "by a failed verify",
    "command": "from the command line",
}  # fmt: skip


def name_of(person: Any) -> str:
    return words.visible(person.get_username()) if person is not None else ""


@dataclass(slots=True)
class ShownRun:
    """A run as lists and heads show it. Reads `environment` and `asked_by`: select them."""

    row: Run
    slug: str
    project_name: str = ""

    @property
    def url(self) -> str:
        return links.run(self.slug, self.row.pk)

    @property
    def approval_url(self) -> str:
        return links.approval(self.slug, self.row.pk)

    @property
    def tone(self) -> str:
        return STATES[self.row.state][0]

    @property
    def icon(self) -> str:
        return STATES[self.row.state][1]

    @property
    def state(self) -> str:
        return str(self.row.get_state_display())

    @property
    def where(self) -> str:
        return self.row.environment.name if self.row.environment is not None else ""

    @property
    def title(self) -> str:
        return title_of(self.row)

    @property
    def place(self) -> str:
        """In a list of one release: `Build`, `production`, `production, back`."""
        back = ", rolled back" if self.row.kind == Run.Kind.ROLLBACK else ""
        return f"{self.where}{back}" if self.where else "Build"

    @property
    def by(self) -> str:
        """Who or what asked for it: `asked by mira`, `by a new tag`."""
        if self.row.asked_by is not None:
            return f"asked by {name_of(self.row.asked_by)}"
        return _TRIGGERS.get(self.row.trigger, "asked for by itself")

    @property
    def who(self) -> str:
        """The same in a cell."""
        return name_of(self.row.asked_by) or _TRIGGERS.get(self.row.trigger, "by itself")

    @property
    def begun(self) -> datetime:
        return self.row.started_at or self.row.asked_at

    @property
    def took(self) -> str:
        """From the first claim to the end of its last step."""
        row = self.row
        if row.started_at is None or row.finished_at is None:
            return ""
        return words.lasted((row.finished_at - row.started_at).total_seconds())

    @property
    def is_hotfix(self) -> bool:
        return self.row.lane == Run.Lane.HOTFIX


def title_of(run: Run) -> str:
    """`Deploy v1.2.3 to production`."""
    tag = words.visible(run.tag)
    if run.environment is None:
        return f"Build {tag}"
    if run.kind == Run.Kind.ROLLBACK:
        return f"Roll {run.environment.name} back to {tag}"
    return f"Deploy {tag} to {run.environment.name}"


@dataclass(slots=True)
class ShownStep:
    """A step of a run."""

    row: Step
    slug: str
    current: bool = False
    cut: bool = False
    """Its run is lost: what the row says of it was true when its worker went away."""

    @property
    def _looks(self) -> tuple[str, str, str]:
        return ("warn", "wifi-off", "cut off") if self.cut_off else _STEPS[self.row.state]

    @property
    def tone(self) -> str:
        return self._looks[0]

    @property
    def icon(self) -> str:
        return self._looks[1]

    @property
    def state(self) -> str:
        return self._looks[2]

    @property
    def url(self) -> str:
        """Where its output begins; empty while it has none."""
        line = self.row.first_line
        return links.run_line(self.slug, self.row.run_id, line) if line else ""

    @property
    def line(self) -> int:
        return self.row.first_line

    @property
    def running_since(self) -> datetime | None:
        going = self.row.state in (Step.State.RUNNING, Step.State.WAITING) and not self.cut
        return self.row.started_at if going else None

    @property
    def seconds(self) -> float:
        """So long it took, or has run until now."""
        if self.row.started_at is None:
            return 0.0
        return ((self.row.finished_at or timezone.now()) - self.row.started_at).total_seconds()

    @property
    def took(self) -> str:
        return words.lasted(self.seconds) if self.row.started_at is not None and not self.cut_off else ""

    @property
    def cut_off(self) -> bool:
        return self.cut and self.row.state == Step.State.RUNNING

    @property
    def ended(self) -> str:
        """Why it did not end well, in a few words: `exit status 2`, `ended by signal 9`."""
        row = self.row
        if row.state != Step.State.FAILED:
            return ""
        if row.signal:
            return f"ended by signal {row.signal}"
        if row.ended == "exited" and row.exit_code:
            return f"exit status {row.exit_code}"
        return {
            "timeout": "took too long", "silent": "printed nothing for too long", "size": "filled its folder",
            "cpu": "used too much processor time", "aborted": "aborted", "lost": "its worker went away",
        }.get(row.ended, "")  # fmt: skip


@dataclass(slots=True)
class ShownVoice:
    """What one person said; reads `person`."""

    row: Approval

    @property
    def name(self) -> str:
        return name_of(self.row.person)

    @property
    def tone(self) -> str:
        if self.row.withdrawn_at is not None:
            return "idle"
        return "bad" if self.row.says == Approval.Says.REJECT else "ok"

    @property
    def icon(self) -> str:
        return {"idle": "undo-2", "bad": "circle-x", "ok": "circle-check"}[self.tone]

    @property
    def says(self) -> str:
        return "Taken back" if self.row.withdrawn_at is not None else str(self.row.get_says_display())
