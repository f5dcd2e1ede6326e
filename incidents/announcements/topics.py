"""What can be announced: which ledger rows, by what name people choose them. Pure; no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol


class Row(Protocol):
    """A ledger row, as far as announcing goes."""

    kind: str
    target: str
    new: str
    evidence: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Topic:
    """One kind of announcement. It comes from rows of `kind` whose other columns are as given; empty: any."""

    key: str
    label: str
    kind: str
    target: str = ""
    new: str = ""
    outside: bool = False
    """May be told to people outside, when the row itself is public."""
    usual: bool = False
    """Chosen for a new channel."""

    def fits(self, row: Row) -> bool:
        if row.kind != self.kind:
            return False
        return (not self.target or row.target == self.target) and (not self.new or row.new == self.new)


TOPICS: tuple[Topic, ...] = (
    Topic("hotfix-under-way", "Hotfix under way", "hotfix.stage", "branch", "done", usual=True),
    Topic("hotfix-live", "Hotfix live in production", "hotfix.stage", "production", "done"),
    Topic("hotfix-verified", "Hotfix deployed and verified", "hotfix.stage", "verify", "done", usual=True),
    Topic("hotfix-merged-back", "Hotfix merged back everywhere", "hotfix.stage", "merge-back", "done"),
    Topic("incident-declared", "Incident declared", "incident.declared", outside=True, usual=True),
    Topic("incident-update", "Incident update", "incident.updated", outside=True, usual=True),
    Topic("incident-corrected", "Update corrected", "incident.corrected", outside=True, usual=True),
    Topic("incident-over", "Incident resolved", "incident.moved", new="resolved", outside=True, usual=True),
    Topic("incident-reopened", "Incident open again", "incident.reopened", outside=True, usual=True),
    Topic("incident-silent", "No public word for too long", "incident.silent"),
    Topic("maintenance-planned", "Maintenance planned", "maintenance.planned", outside=True),
    Topic("maintenance-cancelled", "Maintenance cancelled", "maintenance.cancelled", outside=True),
    Topic("approval-wanted", "A deployment waits for approval", "run.asked"),
    Topic("glass-broken", "The glass was broken", "run.glass-broken", usual=True),
    Topic("taken-back", "A release was taken back", "release.bad", usual=True),
    Topic("postmortem-opened", "Post-mortem opened", "postmortem.opened"),
    Topic("postmortem-due", "Post-mortem overdue", "postmortem.overdue"),
    Topic("postmortem-published", "Post-mortem published", "postmortem.published"),
    Topic("action-overdue", "Action item overdue", "action.overdue"),
)
KINDS = tuple(sorted({topic.kind for topic in TOPICS}))
"""Kinds of ledger rows that can be announced at all."""
USUAL = tuple(topic.key for topic in TOPICS if topic.usual)
BY_KEY = {topic.key: topic for topic in TOPICS}


def topic_of(row: Row) -> Topic | None:
    """What this row is announced as; None when it is not."""
    return next((topic for topic in TOPICS if topic.fits(row)), None)


def may_leave(topic: Topic, row: Row) -> bool:
    """Whether people outside may read it: a public word of a public incident, or planned maintenance."""
    if not topic.outside:
        return False
    if row.kind.startswith("maintenance."):
        return True
    if not row.evidence.get("public"):
        return False
    # Of updates only those that were meant for the public; what changes a state is public with its incident.
    return bool(row.evidence.get("public_word", True))
