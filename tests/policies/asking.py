"""Ask a test repository the question, and read single answers out of the report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from releases.evidence.verdicts import FixReport, FixVerdict, Report
from releases.policies.answer import answer
from releases.policies.asking import preset_for
from releases.policies.flow import FlowPolicy
from releases.policies.question import Question
from tests.gitrepos import Repo

APP = "".join(f"line {number}\n" for number in range(1, 41))


def edited(text: str, **lines: str) -> str:
    """The text with some lines replaced: `edited(APP, line7="seven")`."""
    rows = text.splitlines()
    for name, new in lines.items():
        rows[int(name.removeprefix("line")) - 1] = new
    return "\n".join(rows) + "\n"


def ask(
    repo: Repo, production: Sequence[str] = ("main",), targets: Sequence[str] = ("develop",), **options: Any
) -> Report:
    """The report for these refs; `preview` is off unless asked for."""
    preview = options.pop("preview", False)
    policy = replace(FlowPolicy(), preset=preset_for(production, targets))
    return answer(repo.git_dir, Question(tuple(production), tuple(targets), policy, **options), preview=preview)


def fix_of(report: Report, sha: str) -> FixReport:
    """The fix that has this commit, or is named by it."""
    found = [fix for fix in report.fixes if fix.id == sha or sha in [commit.sha for commit in fix.commits]]
    assert len(found) == 1, f"{len(found)} fixes with {sha}: {[fix.subject for fix in report.fixes]}"
    return found[0]


def verdict_on(report: Report, sha: str, target: str = "develop") -> FixVerdict:
    return fix_of(report, sha).verdicts[target]


def codes(verdict: FixVerdict) -> list[str]:
    return [part.verdict.value for part in verdict.commits]


def evidence(verdict: FixVerdict) -> set[str]:
    return {code.value for part in verdict.commits for code in part.evidence}


def counterparts(verdict: FixVerdict) -> set[str]:
    return {sha for part in verdict.commits for sha in part.counterparts}


def subjects(report: Report) -> list[str]:
    return [fix.subject for fix in report.fixes]
