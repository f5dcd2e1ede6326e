"""Every verdict of the demo comes from the engine, and each but Waived is there."""

from __future__ import annotations

from pathlib import Path

import pytest

from releases.demo.install import WAYS
from releases.evidence.verdicts import Code, Evidence, FixReport, Report
from releases.policies.answer import answer
from releases.policies.question import Question

EXPECTED: dict[str, dict[str, dict[str, str]]] = {
    "checkout-api": {
        "TICKET-1102": {"develop": "merged", "release/1.3": "merged", "support/1.1": "merged"},
        "TICKET-1115": {"develop": "merged", "release/1.3": "merged", "support/1.1": "merged"},
        "TICKET-1133": {"develop": "merged", "release/1.3": "merged", "support/1.1": "equivalent"},
        "TICKET-1140": {"develop": "merged", "release/1.3": "merged", "support/1.1": "missing"},
        "TICKET-1151": {"develop": "merged", "release/1.3": "merged", "support/1.1": "likely"},
        "TICKET-1163": {"develop": "merged", "release/1.3": "merged", "support/1.1": "merged"},
        "TICKET-1176": {"develop": "equivalent", "release/1.3": "equivalent", "support/1.1": "reverted"},
        "TICKET-1198": {"develop": "equivalent", "release/1.3": "equivalent", "support/1.1": "declared"},
        "TICKET-1207": {"develop": "partial", "release/1.3": "partial", "support/1.1": "merged"},
        "TICKET-1234": {"develop": "missing", "release/1.3": "missing", "support/1.1": "equivalent"},
    },
    "invoice-web": {
        "TICKET-1088": {"develop": "merged", "release/2.10": "merged"},
        "TICKET-1120": {"develop": "equivalent", "release/2.10": "equivalent"},
        "TICKET-1149": {"develop": "declared", "release/2.10": "declared"},
        "TICKET-1170": {"develop": "nothing_owed", "release/2.10": "nothing_owed"},
        "TICKET-1192": {"develop": "reverted", "release/2.10": "reverted"},
    },
    "ledger": {
        "TICKET-1105": {"develop": "merged", "release/3.9": "merged"},
        "TICKET-1146": {"develop": "nothing_owed", "release/3.9": "nothing_owed"},
        "TICKET-1148": {"develop": "nothing_owed", "release/3.9": "nothing_owed"},
        "TICKET-1219": {"develop": "missing", "release/3.9": "missing"},
    },
    "identity": {"TICKET-1181": {"main": "equivalent"}},
    "mobile-bff": {"TICKET-1203": {"main": "merged"}},
    "legacy-batch": {
        "TICKET-1143": {"main": "merged", "stable/4.2": "unknown"},
        "TICKET-1186": {"main": "merged", "stable/4.2": "unknown"},
    },
}


@pytest.fixture(scope="session")
def reports(repositories: dict[str, Path]) -> dict[str, Report]:
    return {
        name: answer(path, Question.of(WAYS[name].policy()), name=name, preview=True)
        for name, path in repositories.items()
    }


def found(report: Report) -> dict[str, FixReport]:
    return {fix.ticket or fix.subject: fix for fix in report.fixes if not fix.chore}


@pytest.mark.parametrize("name", list(EXPECTED))
def test_the_fixes_of_each_project_are_judged_as_they_were_made(reports: dict[str, Report], name: str) -> None:
    seen = {
        ticket: {target: str(verdict.verdict) for target, verdict in fix.verdicts.items()}
        for ticket, fix in found(reports[name]).items()
    }
    assert seen == EXPECTED[name]


def test_every_verdict_is_there_but_waived(reports: dict[str, Report]) -> None:
    seen = {verdict.verdict for report in reports.values() for fix in report.fixes for verdict in fix.verdicts.values()}
    assert seen == set(Code) - {Code.WAIVED}


def test_four_fixes_are_owed_to_develop_and_two_block_the_next_release(reports: dict[str, Report]) -> None:
    def owed(target: str, name: str) -> set[str]:
        return {ticket for ticket, fix in found(reports[name]).items() if target in fix.owed_to}

    assert {name: owed("develop", name) for name in ("checkout-api", "invoice-web", "ledger")} == {
        "checkout-api": {"TICKET-1207", "TICKET-1234"},
        "invoice-web": {"TICKET-1192"},
        "ledger": {"TICKET-1219"},
    }
    assert owed("release/1.3", "checkout-api") == {"TICKET-1207", "TICKET-1234"}
    assert owed("main", "identity") | owed("main", "mobile-bff") == set()


def test_fixes_carry_the_titles_tags_and_ages_of_the_story(reports: dict[str, Report]) -> None:
    from .conftest import NOW

    fixes = found(reports["checkout-api"]) | found(reports["invoice-web"]) | found(reports["ledger"])
    told = {
        "TICKET-1192": ("Escape customer names in PDF invoices", "v2.9.3", 9 * 86_400 + 3 * 3600),
        "TICKET-1207": ("Round VAT per line, not per total", "v1.2.2", 4 * 86_400 + 6 * 3600),
        "TICKET-1219": ("Cap webhook retries at 12 hours", "v3.8.3", 86_400 + 22 * 3600),
        "TICKET-1234": ("Send 3-D Secure timeout in milliseconds", "v1.2.3", 2 * 3600 + 25 * 60),
    }
    for ticket, (subject, tag, age) in told.items():
        fix = fixes[ticket]
        assert (fix.subject, fix.shipped_in) == (subject, tag)
        assert fix.live_since == NOW - age


def test_previews_tell_what_a_merge_back_meets(reports: dict[str, Report]) -> None:
    def preview(name: str, ticket: str, target: str) -> tuple[bool, int]:
        shown = found(reports[name])[ticket].verdicts[target].preview
        assert shown is not None
        return shown.clean, len(shown.conflicts)

    assert preview("checkout-api", "TICKET-1234", "develop") == (True, 0)
    assert preview("checkout-api", "TICKET-1207", "develop") == (False, 3)
    assert preview("checkout-api", "TICKET-1140", "support/1.1") == (False, 3)
    assert preview("ledger", "TICKET-1219", "develop") == (False, 3)


def test_evidence_is_of_many_kinds(reports: dict[str, Report]) -> None:
    def evidence(name: str, ticket: str, target: str) -> set[Evidence]:
        commits = found(reports[name])[ticket].verdicts[target].commits
        return {code for commit in commits for code in commit.evidence}

    assert Evidence.PATCH_ID in evidence("checkout-api", "TICKET-1176", "develop")
    assert Evidence.NO_CONTEXT in evidence("checkout-api", "TICKET-1198", "develop")
    assert Evidence.SQUASH in evidence("invoice-web", "TICKET-1120", "develop")
    assert Evidence.TRAILER in evidence("invoice-web", "TICKET-1149", "develop")
    assert Evidence.TRAILER in evidence("checkout-api", "TICKET-1198", "support/1.1")
    assert Evidence.EMPTY in evidence("invoice-web", "TICKET-1170", "develop")
    assert Evidence.REVERT in evidence("invoice-web", "TICKET-1192", "develop")


def test_a_trailer_settles_only_what_content_supports(reports: dict[str, Report]) -> None:
    assert found(reports["invoice-web"])["TICKET-1149"].verdicts["develop"].settled
    assert not found(reports["checkout-api"])["TICKET-1198"].verdicts["support/1.1"].settled


def test_the_work_done_again_by_hand_is_about_ninety_percent_alike(reports: dict[str, Report]) -> None:
    commit = found(reports["checkout-api"])["TICKET-1151"].verdicts["support/1.1"].commits[0]
    assert commit.similarity is not None
    assert 0.88 <= commit.similarity <= 0.96


def test_version_bumps_are_chores(reports: dict[str, Report]) -> None:
    chores = [fix.subject for report in reports.values() for fix in report.fixes if fix.chore]
    assert chores
    # A commit that an action item asked for touches nothing but what lies beside the release notes.
    assert {text for text in chores if not text.startswith("Release ")} == {"Look at unusual names before each release"}


def test_security_fixes_are_marked(reports: dict[str, Report]) -> None:
    marked = {ticket for report in reports.values() for ticket, fix in found(report).items() if fix.security}
    assert marked == {"TICKET-1163", "TICKET-1192"}
