"""What discovery found, kept until production, its tags or the shape of a target change. No I/O.

A push to a target adds to what may settle a fix, but leaves the list of fixes as it is, as long as it brings nothing
of production, grows the target's own line, and is newer than what production holds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

from releases.evidence.verdicts import FixCommit, FixReport

from .question import Question
from .refs import TagRef


@dataclass(slots=True)
class Findings:
    """Every fix without its verdicts."""

    fixes: list[FixReport]
    bases: dict[str, str] = field(default_factory=dict)
    """By fix that can be laid on as one change: the state of production before it."""
    release_leftovers: int = 0
    newest: int = 0
    """When the newest commit was made that was compared with states of the targets (Unix seconds; 0 for none)."""


@dataclass(frozen=True, slots=True)
class State:
    """What the list of fixes depends on besides the question."""

    production: tuple[tuple[str, str], ...]
    targets: tuple[tuple[str, str], ...]
    tags: bytes
    since: str

    @classmethod
    def of(
        cls, production: Mapping[str, str], targets: Mapping[str, str], tags: Mapping[str, TagRef], since: str | None
    ) -> State:
        text = "\0".join(f"{tag.name}\0{tag.commit}\0{tag.made_at}" for _name, tag in sorted(tags.items()))
        digest = blake2b(text.encode("utf-8", "surrogateescape"), digest_size=16).digest()
        return cls(tuple(production.items()), tuple(targets.items()), digest, since or "")

    def but_for_tips(self) -> tuple[object, ...]:
        """All but where the targets stand."""
        return self.production, tuple(name for name, _tip in self.targets), self.tags, self.since


def findings_key(question: Question) -> bytes:
    """Names what was asked. Whoever changes how fixes are found changes the number."""
    asked = (1, question.production, question.targets, question.policy.as_data(), question.since, question.commits,
             question.strict, question.guess_tickets)  # fmt: skip
    return b"findings" + blake2b(repr(asked).encode("utf-8", "surrogateescape"), digest_size=16).digest()


def findings_data(findings: Findings, state: State) -> tuple[Any, ...]:
    where = (state.production, state.targets, state.tags, state.since)
    fixes = [_fix_data(fix) for fix in findings.fixes]
    return where, fixes, findings.bases, findings.release_leftovers, findings.newest


def read_findings(data: Any) -> tuple[Findings, State] | None:
    """The findings again, with what they were found for; None for anything else."""
    try:
        where, fixes, bases, leftovers, newest = data
        return Findings([_fix(row) for row in fixes], dict(bases), leftovers, newest), State(*where)
    except (ValueError, TypeError):
        return None


def _fix_data(fix: FixReport) -> tuple[Any, ...]:
    commits = [(c.sha, c.subject, c.author_name, c.author_email, c.authored_at) for c in fix.commits]
    return (
        fix.id, fix.kind, fix.subject, commits, fix.production_ref, fix.ticket, fix.shipped_in, fix.live_since,
        fix.live_since_source, fix.chore, fix.security,
    )  # fmt: skip


def _fix(row: Sequence[Any]) -> FixReport:
    key, kind, subject, commits, *rest = row
    return FixReport(key, kind, subject, tuple([FixCommit(*commit) for commit in commits]), *rest)
