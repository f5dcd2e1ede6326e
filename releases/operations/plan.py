"""What an operation is going to do to a remote, as plain data. No I/O."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from releases.git.push import RefUpdate


@dataclass(frozen=True, slots=True)
class Plan:
    """Every ref with its old and new value; all of them move, or none."""

    updates: tuple[RefUpdate, ...]
    says: str
    """One sentence: what this does, in the words of the page."""
    notes: tuple[str, ...] = ()
    """What somebody should know: the tag is on the branch's tip, other commits come along, …"""
    facts: dict[str, Any] = field(default_factory=dict)
    """For the page and the ledger: merge, tag, tagged, method, picked, …"""

    def as_data(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_data(cls, data: dict[str, Any]) -> Plan:
        updates = tuple(RefUpdate(**item) for item in data["updates"])
        return cls(updates, data["says"], tuple(data["notes"]), dict(data["facts"]))


@dataclass(frozen=True, slots=True)
class Nothing:
    """The remote is already as it should be; `says` tells by what."""

    says: str
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Conflicted:
    """A trial in memory conflicted; nothing was written anywhere."""

    says: str
    conflicts: tuple[dict[str, Any], ...]
    """Conflict as data: path, kind, hunks."""
    commands: tuple[str, ...] = ()
    """What to type to resolve it by hand."""


class PlanRefused(Exception):
    """It cannot be done as things stand. `code` is stable; the message is a sentence that says what to do."""

    def __init__(self, code: str, sentence: str, *, retryable: bool = True) -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence
        self.retryable = retryable
