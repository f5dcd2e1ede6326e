"""Settling by hand: what a decision does, what ends it, and that git's own verdict stays beside it."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from releases.evidence.verdicts import Code, CommitVerdict, Evidence
from releases.hotfix_forms import WaiveForm
from releases.ledger.models import Event
from releases.policies.models import Settlement, Verdict
from releases.policies.overview import debt
from releases.policies.services import report_record
from releases.policies.settling import (
    LONGEST_WAIVER,
    SettleError,
    settle_confirm,
    settle_different,
    settle_waive,
    settlement_withdraw,
    settlements_sweep,
    waivers_ending,
)
from releases.projects.models import Project
from tests.factories import make_fix_report, make_fix_verdict, make_project, make_report, make_user, sha

pytestmark = pytest.mark.django_db
REASON = "Looked at both, the same rounding."


def judge(
    project: Project, code: Code, *counterparts: str, settled: bool = False, at: datetime | None = None
) -> Verdict:
    """Record that git gives this code for the one fix in develop."""
    evidence = (Evidence.SUBJECT,) if counterparts else ()
    commit = CommitVerdict(sha("fix"), code, settled, tuple(map(sha, counterparts)), evidence)
    answer = make_fix_verdict(code, settled=settled, commits=(commit,))
    report_record(project, make_report([make_fix_report("fix", {"develop": answer})]), at or timezone.now())
    return row(project)


def row(project: Project) -> Verdict:
    return Verdict.objects.select_related("fix", "target", "settlement").get(project=project)


def kinds() -> list[str]:
    return list(Event.objects.order_by("pk").values_list("kind", flat=True))


@pytest.fixture
def project() -> Project:
    return make_project("shop")


@pytest.fixture
def manager() -> Any:
    return make_user("morgan", "release-manager")


def test_confirming_settles_and_names_who(project: Project, manager: Any) -> None:
    verdict = judge(project, Code.LIKELY, "there")
    since = verdict.owed_since
    settle_confirm(verdict, REASON, manager)
    now = row(project)
    assert (now.code, now.settled, now.owed, now.owed_since) == ("likely", True, False, None)
    assert now.why == f"Confirmed by morgan: {REASON}"
    assert now.found is not None
    assert (now.found["settled"], now.found["owed"]) == (False, True)
    assert since is not None
    assert now.found["owed_since"] == since.isoformat()
    told = Event.objects.get(kind="settlement.confirmed")
    assert (told.actor, told.target, told.why, told.old) == (manager, "develop", REASON, "likely")


def test_a_confirmation_lasts_through_judgements_with_the_same_evidence(project: Project, manager: Any) -> None:
    settle_confirm(judge(project, Code.LIKELY, "there"), REASON, manager)
    count = Event.objects.count()
    assert judge(project, Code.LIKELY, "there").settled
    assert Event.objects.count() == count


@pytest.mark.parametrize(("code", "counterparts"), [(Code.LIKELY, ("other",)), (Code.MISSING, ())])
def test_other_evidence_voids_a_confirmation(
    project: Project, manager: Any, code: Code, counterparts: tuple[str, ...]
) -> None:
    settle_confirm(judge(project, Code.LIKELY, "there"), REASON, manager)
    now = judge(project, code, *counterparts)
    assert (now.code, now.settled, now.owed, now.settlement, now.found) == (code.value, False, True, None, None)
    assert Settlement.objects.get().ended_why == "the evidence changed"
    assert kinds()[-2:] == ["settlement.ended", "fix.owed"]


def test_git_settling_it_needs_no_word_any_more(project: Project, manager: Any) -> None:
    settle_confirm(judge(project, Code.LIKELY, "there"), REASON, manager)
    now = judge(project, Code.EQUIVALENT, "there", settled=True)
    assert (now.code, now.settled, now.found) == ("equivalent", True, None)
    assert Settlement.objects.get().ended_why == "settled by git"


def test_not_the_same_makes_it_owed_since_it_is_live(project: Project, manager: Any) -> None:
    verdict = judge(project, Code.DECLARED, "there", settled=True)
    assert not verdict.owed
    settle_different(verdict, "It mends another field.", manager)
    now = row(project)
    assert (now.code, now.owed, now.owed_since) == ("missing", True, now.fix.live_since)
    assert judge(project, Code.DECLARED, "there", settled=True).owed
    assert not judge(project, Code.DECLARED, "there", "elsewhere", settled=True).owed


def test_a_waiver_settles_until_its_end_and_then_owes_since_the_same_day(project: Project, manager: Any) -> None:
    verdict = judge(project, Code.MISSING)
    since = verdict.owed_since
    assert debt([project.pk]).act == 1
    waiver = settle_waive(verdict, "1.x ends in March.", timezone.now() + timedelta(days=30), manager)
    now = row(project)
    assert (now.code, now.settled, now.owed) == ("waived", True, False)
    assert debt([project.pk]).act == 0
    assert judge(project, Code.MISSING).code == "waived"
    assert settlements_sweep(timezone.now()) == []
    assert waiver.until is not None
    assert settlements_sweep(waiver.until) == [project.pk]
    again = row(project)
    assert (again.code, again.owed, again.owed_since) == ("missing", True, since)
    assert kinds()[-1] == "settlement.ended"
    assert settlements_sweep(waiver.until) == []


def test_a_judgement_after_the_end_says_owed_even_before_the_sweep(project: Project, manager: Any) -> None:
    verdict = judge(project, Code.MISSING)
    since = verdict.owed_since
    waiver = settle_waive(verdict, "Later.", timezone.now() + timedelta(days=1), manager)
    now = judge(project, Code.MISSING, at=waiver.until)
    assert (now.code, now.owed, now.owed_since) == ("missing", True, since)


def test_a_week_before_its_end_a_waiver_shows_up_again(project: Project, manager: Any) -> None:
    waiver = settle_waive(judge(project, Code.MISSING), "Later.", timezone.now() + timedelta(days=20), manager)
    assert waiver.until is not None
    assert waivers_ending([project.pk]) == []
    assert waivers_ending([project.pk], waiver.until - timedelta(days=8)) == []
    assert waivers_ending([project.pk], waiver.until - timedelta(days=6)) == [waiver]


def test_withdrawing_lets_git_speak_again(project: Project, manager: Any) -> None:
    verdict = judge(project, Code.LIKELY, "there")
    since, why = verdict.owed_since, verdict.why
    waiver = settle_waive(verdict, "Later.", date.today() + timedelta(days=9), manager)
    settlement_withdraw(waiver, "It is needed after all.", manager)
    now = row(project)
    assert (now.code, now.owed, now.owed_since, now.why, now.found) == ("likely", True, since, why, None)
    with pytest.raises(SettleError, match="already"):
        settlement_withdraw(waiver, "Again.", manager)


def test_a_new_decision_replaces_the_old_one(project: Project, manager: Any) -> None:
    verdict = judge(project, Code.LIKELY, "there")
    waiver = settle_waive(verdict, "Later.", timezone.now() + timedelta(days=9), manager)
    settle_confirm(row(project), REASON, manager)
    waiver.refresh_from_db()
    assert waiver.ended_why == "replaced"
    assert (row(project).code, row(project).settled) == ("likely", True)


@pytest.mark.parametrize("days", [-1, 0, LONGEST_WAIVER + 1, 400])
def test_a_waiver_ends_within_ninety_days(project: Project, manager: Any, days: int) -> None:
    verdict = judge(project, Code.MISSING)
    with pytest.raises(SettleError) as refused:
        settle_waive(verdict, "Later.", timezone.now() + timedelta(days=days), manager)
    assert refused.value.field == "until"
    assert not Settlement.objects.exists()


def test_the_last_day_that_the_form_offers_is_taken_whole(project: Project, manager: Any) -> None:
    verdict = judge(project, Code.MISSING)
    assert LONGEST_WAIVER == 90
    form = WaiveForm({"reason": "Later.", "until": f"{timezone.localdate() + timedelta(days=90):%Y-%m-%d}"})
    assert form.is_valid(), form.errors
    settle_waive(verdict, "Later.", form.ends_at, manager)
    assert row(project).code == "waived"
    settle_waive(row(project), "Again.", timezone.localdate() + timedelta(days=90), manager)


@pytest.mark.parametrize("reason", ["", "   ", "x" * 10_000, "so\x00so", "a\u202eb", "bell\x07"])
def test_a_reason_is_needed_and_is_plain(project: Project, manager: Any, reason: str) -> None:
    verdict = judge(project, Code.LIKELY, "there")
    with pytest.raises(SettleError) as refused:
        settle_confirm(verdict, reason, manager)
    assert refused.value.field == "reason"


def test_only_what_needs_a_look_can_be_confirmed(project: Project, manager: Any) -> None:
    with pytest.raises(SettleError, match="nothing to confirm"):
        settle_confirm(judge(project, Code.MISSING), REASON, manager)
    with pytest.raises(SettleError, match="settled this already"):
        settle_waive(judge(project, Code.MERGED, settled=True), REASON, timezone.now() + timedelta(days=3), manager)


def test_a_decision_about_evidence_that_nobody_saw_is_refused(project: Project, manager: Any) -> None:
    verdict = judge(project, Code.LIKELY, "there")
    judge(project, Code.LIKELY, "elsewhere")
    with pytest.raises(SettleError, match="other evidence"):
        settle_confirm(verdict, REASON, manager, shown=[sha("there")])


def test_html_in_a_reason_is_kept_as_text(project: Project, manager: Any) -> None:
    settle_confirm(judge(project, Code.LIKELY, "there"), "<b>bold</b> & so on", manager)
    assert row(project).why == "Confirmed by morgan: <b>bold</b> & so on"
