"""A report becomes rows: only what changed is written, and every turn of a verdict is told once."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from releases.evidence.verdicts import Code, Evidence
from releases.ledger.models import Event
from releases.policies.models import Fix, Target, Verdict
from releases.policies.services import report_record
from releases.projects.models import FetchRun
from releases.projects.services import FetchLost, fetch_claim, fetch_request
from tests.factories import (
    NOW,
    make_commit_verdict,
    make_fix_report,
    make_fix_verdict,
    make_preview,
    make_project,
    make_release,
    make_report,
    sha,
)

pytestmark = pytest.mark.django_db
LATER = NOW + timedelta(hours=5)


def told(*kinds: str) -> list[tuple[str, str, str, str]]:
    rows = Event.objects.filter(kind__in=kinds) if kinds else Event.objects.all()
    return list(rows.order_by("pk").values_list("kind", "target", "old", "new"))


def test_a_missing_fix_is_owed_since_it_is_live() -> None:
    project = make_project()
    release = make_release(project, "v1.2.1")
    report = make_report([make_fix_report(1, {"develop": make_fix_verdict()}, shipped_in="v1.2.1", ticket="SHOP-7")])
    done = report_record(project, report, NOW)
    fix, verdict = Fix.objects.get(), Verdict.objects.get()
    assert (fix.release, fix.ticket, fix.author_name) == (release, "SHOP-7", "Mira")
    assert (verdict.code, verdict.owed, verdict.owed_since) == ("missing", True, NOW - timedelta(hours=1))
    assert (done.owed, done.settled) == (1, 0)
    assert told("fix.owed") == [("fix.owed", "develop", "", "missing")]
    project.refresh_from_db()
    assert project.judged_at == NOW


def test_the_same_report_again_writes_nothing() -> None:
    project = make_project()
    report = make_report([make_fix_report(n, {"develop": make_fix_verdict()}) for n in range(5)])
    report_record(project, report, NOW)
    before = Event.objects.count()
    again = report_record(project, report, LATER)
    assert not again.changed
    assert Event.objects.count() == before
    assert set(Verdict.objects.values_list("judged_at", flat=True)) == {NOW}


def test_what_was_settled_when_first_seen_is_no_turn() -> None:
    project = make_project()
    arrived = int(NOW.timestamp()) - 600
    answer = make_fix_verdict(Code.MERGED, settled_at=arrived, lag_seconds=3000)
    report_record(project, make_report([make_fix_report(1, {"develop": answer})]), NOW)
    verdict = Verdict.objects.get()
    assert (verdict.owed, verdict.owed_since, verdict.lag_seconds) == (False, None, 3000)
    assert verdict.settled_at == NOW - timedelta(seconds=600)
    assert told("fix.owed", "fix.settled") == []


def test_settling_leaves_one_row_with_its_evidence_and_the_lag() -> None:
    project = make_project()
    report_record(project, make_report([make_fix_report(1, {"develop": make_fix_verdict()})]), NOW)
    picked = make_fix_verdict(Code.EQUIVALENT, commits=(make_commit_verdict(1, Code.EQUIVALENT, Evidence.PATCH_ID),))
    done = report_record(project, make_report([make_fix_report(1, {"develop": picked})]), LATER)
    event = Event.objects.get(kind="fix.settled")
    assert (done.settled, event.old, event.new, event.subject) == (1, "missing", "equivalent", f"fix:{sha(1)}")
    assert event.evidence["commits"][0]["evidence"] == ["patch-id"]
    assert event.evidence["lag_seconds"] == 6 * 3600
    verdict = Verdict.objects.get()
    assert (verdict.owed, verdict.settled_at) == (False, LATER)


def test_a_commit_that_comes_with_a_merge_arrives_when_it_is_seen_and_not_when_it_was_made() -> None:
    project = make_project()
    report_record(project, make_report([make_fix_report(1, {"develop": make_fix_verdict()})]), NOW)
    made = int(NOW.timestamp()) - 3600
    merged = make_report(
        [make_fix_report(1, {"develop": make_fix_verdict(Code.MERGED, settled_at=made, lag_seconds=0)})]
    )
    report_record(project, merged, LATER)
    verdict = Verdict.objects.get()
    assert (verdict.settled_at, verdict.lag_seconds) == (LATER, 6 * 3600)
    assert not report_record(project, merged, LATER + timedelta(hours=1)).changed
    assert Verdict.objects.get().settled_at == LATER


def test_a_fix_that_is_undone_in_the_target_is_owed_again_from_then_on() -> None:
    project = make_project()
    report_record(project, make_report([make_fix_report(1, {"develop": make_fix_verdict(Code.MERGED)})]), NOW)
    undone = make_fix_verdict(Code.REVERTED)
    report_record(project, make_report([make_fix_report(1, {"develop": undone})]), LATER)
    assert told("fix.reverted") == [("fix.reverted", "develop", "merged", "reverted")]
    assert Verdict.objects.get().owed_since == LATER


def test_another_unsettled_verdict_keeps_the_age_of_the_debt() -> None:
    project = make_project()
    report_record(project, make_report([make_fix_report(1, {"develop": make_fix_verdict()})]), NOW)
    since = Verdict.objects.get().owed_since
    report_record(project, make_report([make_fix_report(1, {"develop": make_fix_verdict(Code.PARTIAL)})]), LATER)
    verdict = Verdict.objects.get()
    assert (verdict.code, verdict.owed_since) == ("partial", since)
    assert told("fix.owed", "fix.judged") == [
        ("fix.owed", "develop", "", "missing"),
        ("fix.judged", "develop", "missing", "partial"),
    ]


def test_a_chore_is_never_owed() -> None:
    project = make_project()
    report_record(project, make_report([make_fix_report(1, {"develop": make_fix_verdict()}, chore=True)]), NOW)
    assert not Verdict.objects.get().owed
    assert told("fix.owed") == []


def test_a_branch_that_is_gone_is_closed_and_owes_nothing_until_it_is_back() -> None:
    project = make_project()
    both = {"develop": make_fix_verdict(), "release/1.3": make_fix_verdict()}
    with_release = make_report([make_fix_report(1, both)], ("develop", "release/1.3"))
    report_record(project, with_release, NOW)
    target = Target.objects.get(branch="release/1.3")
    assert (target.kind, target.planned_version, target.position) == ("release", "v1.3.0", 1)
    report_record(project, make_report([make_fix_report(1, {"develop": make_fix_verdict()})]), LATER)
    target.refresh_from_db()
    assert target.closed_at == LATER
    assert Verdict.objects.filter(owed=True).count() == 1
    report_record(project, with_release, LATER + timedelta(hours=1))
    target.refresh_from_db()
    assert target.closed_at is None
    assert Verdict.objects.filter(owed=True).count() == 2
    assert [kind for kind, *_ in told("target.opened", "target.closed")] == [
        "target.opened", "target.opened", "target.closed", "target.opened",
    ]  # fmt: skip


def test_a_fix_that_left_production_is_kept_but_owed_no_more() -> None:
    project = make_project()
    report_record(project, make_report([make_fix_report(1, {"develop": make_fix_verdict()})]), NOW)
    report_record(project, make_report([]), LATER)
    fix = Fix.objects.get()
    assert not fix.present
    assert not Verdict.objects.get().owed
    assert [kind for kind, *_ in told("fix.gone")] == ["fix.gone"]
    report_record(project, make_report([make_fix_report(1, {"develop": make_fix_verdict()})]), LATER)
    fix.refresh_from_db()
    assert fix.present
    assert Verdict.objects.get().owed


def test_what_was_seen_live_before_its_tag_is_live_since_it_was_seen() -> None:
    project = make_project()
    untagged = make_fix_report(1, {"develop": make_fix_verdict()}, live_since=None, live_since_source=None)
    report_record(project, make_report([untagged]), NOW)
    fix = Fix.objects.get()
    assert (fix.live_since, fix.live_since_source) == (NOW, "seen")
    tagged = make_fix_report(
        1, {"develop": make_fix_verdict()}, live_since=int(LATER.timestamp()), live_since_source="tag",
        shipped_in="v1.2.1",
    )  # fmt: skip
    report_record(project, make_report([tagged]), LATER + timedelta(hours=1))
    fix.refresh_from_db()
    assert (fix.live_since, fix.live_since_source, fix.shipped_in) == (NOW, "seen", "v1.2.1")


def test_a_preview_stays_until_the_target_moves() -> None:
    project = make_project()
    tried = make_fix_verdict(preview=make_preview("src/cart.py"), detail="conflicts in 1 file")
    report_record(project, make_report([make_fix_report(1, {"develop": tried})], develop=sha("a")), NOW)
    quick = make_report([make_fix_report(1, {"develop": make_fix_verdict()})], develop=sha("a"))
    assert not report_record(project, quick, LATER, previews=False).verdicts
    kept = Verdict.objects.get()
    assert kept.preview is not None
    assert (kept.preview["conflicts"], kept.detail) == (["src/cart.py"], "conflicts in 1 file")
    moved = make_report([make_fix_report(1, {"develop": make_fix_verdict()})], develop=sha("b"))
    report_record(project, moved, LATER, previews=False)
    assert Verdict.objects.get().preview is None


def test_a_preview_goes_when_nothing_is_owed_any_more() -> None:
    project = make_project()
    tried = make_fix_verdict(preview=make_preview("src/cart.py"), detail="conflicts in 1 file")
    report_record(project, make_report([make_fix_report(1, {"develop": tried})], develop=sha("a")), NOW)
    chore = make_fix_report(1, {"develop": make_fix_verdict()}, chore=True)
    report_record(project, make_report([chore], develop=sha("a")), LATER, previews=False)
    verdict = Verdict.objects.get()
    assert (verdict.owed, verdict.preview) == (False, None)


def test_hostile_text_is_stored_without_what_no_database_takes() -> None:
    project = make_project()
    nasty = make_fix_report(
        1, {"develop": make_fix_verdict(why="a\x00b\udcff")}, subject="<script>\x00" + "x" * 900, ticket="T" * 200
    )
    report_record(project, make_report([nasty]), NOW)
    fix = Fix.objects.get()
    assert fix.subject.startswith("<script>x")
    assert len(fix.subject) == 500
    assert Verdict.objects.get().why == "ab?"


def test_a_worker_that_lost_its_run_writes_nothing() -> None:
    project = make_project()
    run = fetch_claim(fetch_request(project, "timer").pk, "one")
    assert run is not None
    FetchRun.objects.filter(pk=run.pk).update(state="lost")
    with pytest.raises(FetchLost):
        report_record(project, make_report([make_fix_report(1, {"develop": make_fix_verdict()})]), NOW, run=run)
    assert not Fix.objects.exists()
    assert not Event.objects.filter(kind="fix.owed").exists()


def test_a_failure_half_way_leaves_neither_verdicts_nor_ledger_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    project = make_project()

    def broken(*_args: object) -> None:
        raise RuntimeError("the ledger is full")

    monkeypatch.setattr("releases.policies.services.events_write", broken)
    with pytest.raises(RuntimeError):
        report_record(project, make_report([make_fix_report(1, {"develop": make_fix_verdict()})]), NOW)
    assert not Verdict.objects.exists()
    monkeypatch.undo()
    report_record(project, make_report([make_fix_report(1, {"develop": make_fix_verdict()})]), NOW)
    assert len(told("fix.owed")) == 1


def test_a_thousand_fixes_in_four_targets_cost_little_when_nothing_changed() -> None:
    project = make_project()
    targets = ("develop", "release/1.3", "release/1.4", "support/1.2")
    codes = [Code.MERGED, Code.MISSING, Code.EQUIVALENT, Code.LIKELY]

    def fixes() -> list:  # type: ignore[type-arg]
        return [
            make_fix_report(n, {
                name: make_fix_verdict(codes[(n + i) % 4], commits=(make_commit_verdict(n),))
                for i, name in enumerate(targets)
            })
            for n in range(1000)
        ]  # fmt: skip

    report_record(project, make_report(fixes(), targets), NOW)
    assert Verdict.objects.count() == 4000
    again = make_report(fixes(), targets)
    with CaptureQueriesContext(connection) as queries:
        assert not report_record(project, again, LATER).changed
    assert len(queries) < 15
