"""Ledger rows as a timeline tells them."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils import timezone

from releases.hotfixes.models import Hotfix
from releases.hotfixes.stages import StageKey
from releases.ledger.models import Event

from . import words

_ICONS = {
    "hotfix.opened": "plus", "hotfix.triaged": "list", "hotfix.decided": "list", "hotfix.way": "arrow-right",
    "hotfix.reviewed": "eye", "hotfix.edited": "pencil", "hotfix.split": "git-branch",
    "hotfix.pushed": "git-commit-horizontal", "hotfix.declined": "circle-pause",
    "hotfix.abandoned": "circle-pause", "hotfix.superseded": "circle-pause", "hotfix.reopened": "rotate-ccw",
    "hotfix.adopted": "plus", "operation.done": "git-commit-horizontal", "operation.conflict": "triangle-alert",
    "operation.failed": "circle-x", "operation.lost": "wifi-off", "operation.retried": "rotate-ccw",
    "operation.cancelled": "circle-x", "fix.owed": "circle-dashed", "fix.settled": "git-merge", "fix.found": "eye",
    "fix.shipped": "tag", "fix.live": "rocket",
}  # fmt: skip
_STAGES = {
    StageKey.TRIAGE: "list", StageKey.BRANCH: "git-branch", StageKey.FIX: "git-commit-horizontal",
    StageKey.REVIEW: "circle-check", StageKey.TAG: "tag", StageKey.TESTS: "circle-check", StageKey.BUILD: "package",
    StageKey.STAGING: "rocket", StageKey.APPROVAL: "circle-check", StageKey.PRODUCTION: "rocket",
    StageKey.VERIFY: "activity", StageKey.MERGE_BACK: "git-merge", StageKey.CLEAN_UP: "check",
    StageKey.POST_MORTEM: "lightbulb",
}  # fmt: skip
_ENDED = {
    "hotfix.declined": "Declined", "hotfix.abandoned": "Abandoned", "hotfix.superseded": "Superseded",
    "hotfix.reopened": "Opened again",
}  # fmt: skip
_REVIEWED = {"approve": "approved", "changes": "asked for changes", "comment": "commented"}
_SAID = {
    "approval.given": "approved it", "approval.rejected": "said no", "approval.withdrawn": "took the approval back",
    "run.glass-broken": "broke the glass",
}  # fmt: skip
"""What people do whose own words, if any, are all that the ledger holds of it."""


@dataclass(slots=True)
class ShownEvent:
    """One entry."""

    row: Event

    @property
    def icon(self) -> str:
        if self.row.kind in ("hotfix.stage", "hotfix.stages") and self.row.target in set(StageKey):
            return _STAGES[StageKey(self.row.target)]
        return _ICONS.get(self.row.kind, "circle-dot")

    @property
    def when(self) -> str:
        """`14:31` today, `20 Nov` before."""
        local = timezone.localtime(self.row.at)
        return f"{local:%H:%M}" if local.date() == timezone.localdate() else f"{local.day} {local:%b}"

    @property
    def says(self) -> str:
        row = self.row
        if row.kind == "hotfix.reviewed":
            return f"{row.actor_name} {_REVIEWED.get(row.new, row.new)}: “{row.why}”"
        if row.kind == "hotfix.way" and row.new in Hotfix.Way.values:
            return f"{Hotfix.Way(row.new).label}: “{row.why}”"
        if row.kind in _ENDED:
            return f"{_ENDED[row.kind]}: “{row.why}”"
        if row.kind in _SAID:
            return f"{row.actor_name} {_SAID[row.kind]}{f': “{row.why}”' if row.why else '.'}"
        return row.why or f"{row.kind} {row.new}".strip()

    @property
    def more(self) -> str:
        """Who or what, and the whole moment."""
        return f"{self.row.actor_name}, {words.clock(self.row.at)}"
