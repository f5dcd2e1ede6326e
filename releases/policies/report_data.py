"""A report as the documented data of `manage.py mergeback --format json` (docs/mergeback-json.md)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from releases.evidence.verdicts import FixReport, Report


def iso(moment: int | None) -> str | None:
    """Unix seconds as an ISO 8601 date in UTC; None stays None."""
    if moment is None:
        return None
    try:
        return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return None


def fix_data(fix: FixReport) -> dict[str, Any]:
    """One fix with its verdicts."""
    return {
        "id": fix.id,
        "kind": fix.kind,
        "subject": fix.subject,
        "ticket": fix.ticket,
        "production_ref": fix.production_ref,
        "shipped_in": fix.shipped_in,
        "live_since": iso(fix.live_since),
        "live_since_source": fix.live_since_source,
        "chore": fix.chore,
        "security": fix.security,
        "commits": [commit.sha for commit in fix.commits],
        "verdicts": {
            target: {**verdict.as_data(), "settled_at": iso(verdict.settled_at)}
            for target, verdict in fix.verdicts.items()
        },
    }


def report_data(report: Report, *, chores: bool = False) -> dict[str, Any]:
    """The whole report; chores only when asked for."""
    return {
        "repository": report.repository,
        "production": list(report.production),
        "targets": list(report.targets),
        "git": dict(report.git),
        "fixes": [fix_data(fix) for fix in report.fixes if chores or not fix.chore],
        "owed": report.owed,
        "chores": sum(fix.chore for fix in report.fixes),
        "notes": list(report.notes),
        "elapsed_seconds": round(report.elapsed_seconds, 4),
        "preview_seconds": round(report.preview_seconds, 4),
    }
