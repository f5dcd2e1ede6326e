"""What is known about one hotfix, as plain data: all that its stages are computed from. No I/O, no Django."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class TargetFact:
    """One branch that must have the fix. Times are seconds since 1970."""

    branch: str
    verdict: str
    """A verdict's code; empty while it was not judged."""
    settled: bool
    owed: bool
    at: float | None = None
    """When the branch got it."""
    due: float | None = None
    """Until when it has to, by the project's limit."""


@dataclass(frozen=True, slots=True)
class DebtFact:
    """A change that was undone to clear the way, and whether it came back."""

    branch: str
    subject: str
    settled_at: float | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """What the ledger tells of a stage that git cannot know: tests, build, deployments, verification."""

    state: str
    """A StageState."""
    at: float
    detail: str = ""


@dataclass(frozen=True, slots=True)
class HotfixFacts:
    """Everything that the stages of one hotfix depend on. Times are seconds since 1970."""

    opened_at: float
    track: str = ""
    """hotfix, regular, or empty before triage."""
    triaged_at: float | None = None
    closed: str = ""
    """declined, abandoned, superseded, or empty."""
    closed_at: float | None = None
    way: str = ""

    branch: str = ""
    branch_here: bool = False
    """The branch is on the remote now."""
    branch_at: float | None = None
    branch_gone_at: float | None = None
    base: str = ""
    """The production tag it was cut from; empty when it was cut elsewhere."""
    commits: int = 0
    fixed_at: float | None = None
    """Date of the newest commit."""
    strays: int = 0
    """Commits on the branch that are neither in production nor of this fix: they would ship along."""
    faults: int = 0
    """What keeps the change from being called minimal."""

    needed: int = 1
    """Approving reviews that it takes."""
    approved_by: tuple[str, ...] = ()
    """Whose approvals count, for the present tip."""
    approved_at: float | None = None
    objections: tuple[str, ...] = ()
    """Who asks for changes, at the present tip."""
    void: int = 0
    """Reviews of an earlier tip."""

    tag: str = ""
    tagged_at: float | None = None
    tagger: str = ""
    live_since: float | None = None
    """Since when production's refs contain it."""
    runs_since: float | None = None
    """Since when an environment of production runs a release with it; None where none does, or none is tracked."""
    runs_tag: str = ""
    """That release."""
    runs_instead: str = ""
    """The release without it that production runs; empty when an environment has it, or none is tracked."""
    targets: tuple[TargetFact, ...] = ()
    debts: tuple[DebtFact, ...] = ()
    told: Mapping[str, Told] = field(default_factory=dict)
    """By stage key."""
    tracked: frozenset[str] = frozenset()
    """Keys of stages that the project's pipeline tells of, for this ticket: what is not told yet is not reached."""

    @property
    def owed(self) -> int:
        """Branches that still lack something: merge-backs and what has to be re-applied."""
        return sum(target.owed for target in self.targets) + sum(debt.settled_at is None for debt in self.debts)
