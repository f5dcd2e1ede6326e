"""The next-release gate: would this candidate bring a fixed bug back? Pure over a report."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from releases.evidence.verdicts import Code, FixReport, Report

from .report_data import fix_data
from .wording import count, harmless

RETURNS = frozenset({Code.MISSING, Code.PARTIAL, Code.REVERTED})
"""The candidate surely lacks at least a part of the fix."""


@dataclass(frozen=True, slots=True)
class Gate:
    """What shipping the candidate would do to the fixes that are live."""

    candidate: str
    returning: list[FixReport] = field(default_factory=list)
    """Bugs that would come back: the candidate lacks the fix, or undid it."""
    to_check: list[FixReport] = field(default_factory=list)
    """The evidence does not suffice: likely there, declared only, or unknown."""
    kept: int = 0
    """Fixes that the candidate has for sure."""

    @property
    def safe(self) -> bool:
        """Every live fix is proved to be in the candidate."""
        return not self.returning and not self.to_check

    @property
    def sentence(self) -> str:
        name = harmless(self.candidate)
        if self.safe:
            return f"{name} is safe: it has {_all(self.kept)} that {'are' if self.kept > 1 else 'is'} live."
        said = []
        if self.returning:
            bugs = count(len(self.returning), "fixed bug")
            said.append(f"{name} would bring {bugs} back.")
        if self.to_check:
            fixes = count(len(self.to_check), "fix", "fixes")
            said.append(
                f"{fixes} cannot be proved to be in {name}: look at {'it' if len(self.to_check) == 1 else 'them'}."
            )
        return " ".join(said)


def _all(number: int) -> str:
    return "every fix" if number == 0 else "the one fix" if number == 1 else f"all {number:,} fixes"


def gate(report: Report, candidate: str) -> Gate:
    """Sort a report's fixes by what the candidate (one of its targets) would do to them."""
    returning: list[FixReport] = []
    to_check: list[FixReport] = []
    kept = 0
    for fix in report.fixes:
        verdict = fix.verdicts.get(candidate)
        if verdict is None or fix.chore:
            continue
        if verdict.settled:
            kept += 1
        else:
            (returning if verdict.verdict in RETURNS else to_check).append(fix)
    return Gate(candidate, returning, to_check, kept)


def gate_data(report: Report, found: Gate) -> dict[str, Any]:
    """The gate as the documented data of `manage.py gate --format json`."""
    return {
        "repository": report.repository,
        "candidate": found.candidate,
        "production": list(report.production),
        "git": dict(report.git),
        "safe": found.safe,
        "sentence": found.sentence,
        "returning": [fix_data(fix) for fix in found.returning],
        "to_check": [fix_data(fix) for fix in found.to_check],
        "kept": found.kept,
        "notes": list(report.notes),
        "elapsed_seconds": round(report.elapsed_seconds, 4),
    }
