"""What people decided about a tracked project's verdicts, laid over a fresh answer from git for the command line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from releases.evidence.verdicts import FixVerdict, Report

from .overlay import Decided, Found, laid_over, why_ended

Decisions = Mapping[tuple[str, str], Decided]
"""By the fix's id and the target's short branch name."""


def decisions_of(project_pk: int) -> Decisions:
    """The decisions that stand in a project. One query."""
    from .models import Settlement
    from .settling import decided

    rows = Settlement.objects.filter(project=project_pk, ended_at=None).select_related("fix", "target")
    return {(row.fix.key, row.target.branch): decided(row) for row in rows}


def report_decide(report: Report, decisions: Decisions, at: datetime) -> None:
    """Lay every decision that holds over the report's verdicts, by the same rules as on the pages."""
    if not decisions:
        return
    for fix in report.fixes:
        for name, verdict in fix.verdicts.items():
            what = decisions.get((fix.id, name.removeprefix("refs/heads/")))
            if what is not None:
                fix.verdicts[name] = _laid(verdict, what, at)


def _laid(verdict: FixVerdict, what: Decided, at: datetime) -> FixVerdict:
    counterparts = frozenset(sha for commit in verdict.commits for sha in commit.counterparts)
    if why_ended(what, Found(verdict.verdict, verdict.settled, counterparts), at):
        return verdict
    laid = laid_over(what, verdict.verdict)
    return replace(verdict, verdict=laid.code, settled=laid.settled, why=laid.why, detail=laid.detail)
