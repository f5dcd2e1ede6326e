"""The words of judgement: verdict codes, evidence codes, and the answer as data.

Everything here is plain data without I/O. `as_data()` of a report is the documented JSON of
`manage.py mergeback` (docs/mergeback-json.md).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from releases.git.hunks import ConflictHunk


class Code(StrEnum):
    """A verdict. Label, icon and tone stand here so that no page invents its own."""

    MERGED = "merged"
    EQUIVALENT = "equivalent"
    NOTHING_OWED = "nothing_owed"
    DECLARED = "declared"
    LIKELY = "likely"
    PARTIAL = "partial"
    REVERTED = "reverted"
    MISSING = "missing"
    WAIVED = "waived"
    UNKNOWN = "unknown"

    @property
    def label(self) -> str:
        return self.value.replace("_", " ").capitalize()

    @property
    def icon(self) -> str:
        """Name of the Lucide icon."""
        return _ICONS[self]

    @classmethod
    def choices(cls) -> list[tuple[str, str]]:
        return [(code.value, code.label) for code in cls]


_ICONS = {
    Code.MERGED: "git-merge",
    Code.EQUIVALENT: "circle-equal",
    Code.NOTHING_OWED: "minus",
    Code.DECLARED: "quote",
    Code.LIKELY: "equal-approximately",
    Code.PARTIAL: "contrast",
    Code.REVERTED: "undo-2",
    Code.MISSING: "circle-dashed",
    Code.WAIVED: "circle-pause",
    Code.UNKNOWN: "circle-alert",
}


class Evidence(StrEnum):
    """What a verdict on one commit rests on; documented and stable."""

    ANCESTOR = "ancestor"
    PATCH_ID = "patch-id"
    NO_CONTEXT = "no-context"
    TRAILER = "trailer"
    CHANGE_ID = "change-id"
    AUTHOR_DATE = "author-date"
    SUBJECT = "subject"
    SIMILARITY = "similarity"
    SQUASH = "squash"
    TRIAL_PICK = "trial-pick"
    REVERT = "revert"
    EMPTY = "empty"


@dataclass(slots=True)
class CommitVerdict:
    """The answer for one commit of a fix in one target."""

    sha: str
    verdict: Code
    settled: bool
    counterparts: tuple[str, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    why: str = ""
    similarity: float | None = None
    """Share of changed lines in common with the counterpart, 0 to 1, when it was measured."""
    reverted_by: tuple[str, ...] = ()

    def as_data(self) -> dict[str, Any]:
        return {
            "sha": self.sha,
            "verdict": self.verdict.value,
            "settled": self.settled,
            "counterparts": list(self.counterparts),
            "evidence": [code.value for code in self.evidence],
            "why": self.why,
            "similarity": None if self.similarity is None else round(self.similarity, 3),
            "reverted_by": list(self.reverted_by),
        }


@dataclass(frozen=True, slots=True)
class Preview:
    """What a trial pick (or merge) into the target would do now."""

    clean: bool
    conflicts: tuple[str, ...] = ()
    """Paths that conflict."""
    changes_nothing: bool = False
    """The pick would leave the target as it is."""
    hunks: tuple[ConflictHunk, ...] = ()
    """The first conflicting places, when they were read."""

    def as_data(self) -> dict[str, Any]:
        return {
            "clean": self.clean,
            "conflicts": list(self.conflicts),
            "changes_nothing": self.changes_nothing,
            "hunks": [hunk.as_data() for hunk in self.hunks],
        }


@dataclass(slots=True)
class FixVerdict:
    """The answer for one fix in one target."""

    verdict: Code
    settled: bool
    why: str
    commits: tuple[CommitVerdict, ...] = ()
    detail: str = ""
    """The second line of a matrix cell: a short sha, "2 of 3 commits", "merges cleanly"."""
    preview: Preview | None = None
    settled_at: int | None = None
    """Unix seconds at which the target got it: the committer date of the (last) counterpart or merge."""
    lag_seconds: int | None = None
    """How long production had it and the target had not; 0 when the target had it first."""

    def as_data(self) -> dict[str, Any]:
        return {
            "verdict": self.verdict.value,
            "settled": self.settled,
            "why": self.why,
            "detail": self.detail,
            "commits": [commit.as_data() for commit in self.commits],
            "preview": self.preview.as_data() if self.preview else None,
            "settled_at": self.settled_at,
            "lag_seconds": self.lag_seconds,
        }


@dataclass(slots=True)
class FixCommit:
    """A commit of a fix, as people name it."""

    sha: str
    subject: str
    author_name: str
    author_email: str
    authored_at: int


@dataclass(slots=True)
class FixReport:
    """One fix with its verdict for every target."""

    id: str
    kind: str
    """merge, direct, pick, revert or evil (`Fix.Kind`)."""
    subject: str
    commits: tuple[FixCommit, ...]
    production_ref: str
    ticket: str | None = None
    shipped_in: str | None = None
    live_since: int | None = None
    """Unix seconds."""
    live_since_source: str | None = None
    chore: bool = False
    security: bool = False
    verdicts: dict[str, FixVerdict] = field(default_factory=dict)
    """By target, keyed as typed."""

    @property
    def owed_to(self) -> list[str]:
        return [] if self.chore else [name for name, verdict in self.verdicts.items() if not verdict.settled]


@dataclass(slots=True)
class Report:
    """The whole answer for one repository."""

    repository: str
    production: tuple[str, ...]
    targets: tuple[str, ...]
    git: dict[str, str]
    """Every production and target ref, as typed, with the object id it stood at."""
    fixes: list[FixReport]
    elapsed_seconds: float = 0.0
    """From the question to the last verdict, without previews."""
    preview_seconds: float = 0.0
    notes: list[str] = field(default_factory=list)
    """Plain sentences about limits of this answer: shallow history, unreadable objects."""

    @property
    def owed(self) -> int:
        """Fixes owed to at least one target."""
        return sum(bool(fix.owed_to) for fix in self.fixes)
