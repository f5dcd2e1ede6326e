"""Every stage in every state, from facts alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from releases.hotfixes.facts import DebtFact, HotfixFacts, TargetFact, Told
from releases.hotfixes.stages import Stage, StageKey, StageState, current, finished, stages

NEW = HotfixFacts(opened_at=100.0)
TRIAGED = replace(NEW, track="hotfix", triaged_at=160.0)
CUT = replace(TRIAGED, branch="hotfix/T-1", branch_here=True, branch_at=200.0, base="v1.0.0")
FIXED = replace(CUT, commits=2, fixed_at=400.0)
REVIEWED = replace(FIXED, approved_by=("mira",), approved_at=500.0)
TAGGED = replace(REVIEWED, tag="v1.0.1", tagged_at=600.0)
DEVELOP = TargetFact("develop", "missing", settled=False, owed=True)
BACK = TargetFact("develop", "merged", settled=True, owed=False, at=900.0)
LIVE = replace(TAGGED, live_since=600.0, targets=(DEVELOP,))
MERGED_BACK = replace(LIVE, targets=(BACK,))
CLEAN = replace(MERGED_BACK, branch_here=False, branch_gone_at=950.0)


def of(facts: HotfixFacts, key: str) -> Stage:
    return next(stage for stage in stages(facts) if stage.key == key)


TRACKED = frozenset({"tests", "production"})


@pytest.mark.parametrize(
    ("key", "facts", "state", "detail"),
    [
        ("triage", NEW, "waiting", "three questions"),
        ("triage", TRIAGED, "done", "hotfix"),
        ("triage", replace(NEW, track="regular"), "done", "next regular release"),
        ("triage", replace(NEW, live_since=1.0), "skipped", "went out without triage"),
        ("branch", NEW, "todo", ""),
        ("branch", TRIAGED, "waiting", ""),
        ("branch", CUT, "done", "from v1.0.0"),
        ("branch", replace(CUT, base=""), "done", "not cut from a release"),
        ("branch", replace(FIXED, strays=1), "failed", "would ship 1 other commit"),
        ("branch", replace(FIXED, strays=1200), "failed", "would ship 1,200 other commits"),
        ("branch", replace(LIVE, strays=3), "done", "from v1.0.0"),
        ("branch", replace(CUT, branch_here=False), "failed", "deleted before anything was on it"),
        ("branch", replace(TRIAGED, commits=1, live_since=5.0), "skipped", "no branch of its own"),
        ("fix", NEW, "todo", ""),
        ("fix", CUT, "waiting", ""),
        ("fix", FIXED, "done", "2 commits"),
        ("fix", replace(FIXED, commits=1, faults=2), "done", "1 commit, not minimal"),
        ("fix", replace(FIXED, branch_here=False), "failed", "branch deleted before it went out"),
        ("fix", replace(TRIAGED, tag="v1.0.1"), "done", ""),
        ("review", CUT, "todo", ""),
        ("review", FIXED, "waiting", "0 of 1"),
        ("review", replace(FIXED, needed=2, approved_by=("mira",)), "waiting", "1 of 2"),
        ("review", replace(FIXED, void=1), "waiting", "the branch moved since"),
        ("review", REVIEWED, "done", "by mira"),
        ("review", replace(REVIEWED, approved_by=("a", "b", "c", "d")), "done", "by a, b and 2 more"),
        ("review", replace(REVIEWED, objections=("robin",)), "failed", "changes asked by robin"),
        ("review", replace(FIXED, needed=0), "skipped", "not required"),
        ("review", replace(FIXED, tag="v1.0.1"), "skipped", "went out without a review"),
        (
            "review", replace(FIXED, tag="v1", needed=2, approved_by=("mira",)), "skipped",
            "went out with 1 of 2 reviews",
        ),
        ("tag", FIXED, "todo", ""),
        ("tag", REVIEWED, "waiting", ""),
        ("tag", TAGGED, "done", "v1.0.1"),
        ("tag", replace(REVIEWED, live_since=5.0), "waiting", "in production without a tag"),
        ("tests", TAGGED, "skipped", "not tracked yet"),
        ("build", TAGGED, "skipped", "not tracked yet"),
        ("staging", TAGGED, "skipped", "not tracked yet"),
        ("approval", TAGGED, "skipped", "not tracked yet"),
        ("verify", TAGGED, "skipped", "not tracked yet"),
        ("post-mortem", TAGGED, "skipped", "not tracked yet"),
        ("tests", replace(TAGGED, told={"tests": Told("failed", 650.0, "2 of 214 fail")}), "failed", "2 of 214 fail"),
        ("tests", replace(TAGGED, tracked=TRACKED), "todo", ""),
        ("verify", replace(TAGGED, tracked=TRACKED), "skipped", "not tracked yet"),
        ("production", replace(LIVE, tracked=TRACKED), "todo", ""),
        ("production", replace(LIVE, tracked=TRACKED, told={"production": Told("done", 700.0)}), "done", ""),
        ("production", REVIEWED, "todo", ""),
        ("production", TAGGED, "waiting", ""),
        ("production", LIVE, "done", ""),
        ("production", replace(LIVE, told={"production": Told("running", 700.0, "3 of 6")}), "running", "3 of 6"),
        ("merge-back", TAGGED, "todo", ""),
        ("merge-back", LIVE, "owed", "owed to develop"),
        ("merge-back", replace(LIVE, targets=(DEVELOP, DEVELOP)), "owed", "owed to 2 branches"),
        ("merge-back", replace(LIVE, targets=(TargetFact("develop", "", False, False),)), "running", "being judged"),
        ("merge-back", replace(LIVE, targets=()), "skipped", "no other branch needs it"),
        ("merge-back", MERGED_BACK, "done", ""),
        ("merge-back", replace(LIVE, targets=(BACK, BACK)), "done", "everywhere"),
        ("merge-back", replace(MERGED_BACK, debts=(DebtFact("develop", "x"),)), "owed", "re-apply owed"),
        ("merge-back", replace(LIVE, debts=(DebtFact("develop", "x"),)), "owed", "owed to develop, re-apply owed"),
        ("merge-back", replace(CUT, debts=(DebtFact("develop", "x"),)), "owed", "re-apply owed"),
        ("merge-back", replace(MERGED_BACK, debts=(DebtFact("develop", "x", 990.0),)), "done", ""),
        ("clean-up", FIXED, "todo", ""),
        ("clean-up", LIVE, "todo", ""),
        ("clean-up", MERGED_BACK, "waiting", ""),
        ("clean-up", CLEAN, "done", "branch deleted"),
        ("clean-up", replace(MERGED_BACK, branch=""), "skipped", ""),
        ("clean-up", replace(TRIAGED, closed=""), "todo", ""),
    ],
)  # fmt: skip
def test_state(key: str, facts: HotfixFacts, state: str, detail: str) -> None:
    stage = of(facts, key)
    assert (stage.state, stage.detail) == (state, detail)


@pytest.mark.parametrize(
    ("facts", "key"),
    [
        (NEW, "triage"), (TRIAGED, "branch"), (CUT, "fix"), (FIXED, "review"), (REVIEWED, "tag"),
        (TAGGED, "production"), (LIVE, "merge-back"), (MERGED_BACK, "clean-up"), (CLEAN, "post-mortem"),
    ],
)  # fmt: skip
def test_the_stage_it_is_at(facts: HotfixFacts, key: str) -> None:
    found = stages(facts)
    assert current(found) == key
    assert finished(found) is (facts is CLEAN)


def test_there_are_fourteen_in_the_order_of_the_picture() -> None:
    assert [stage.key for stage in stages(NEW)] == list(StageKey)
    assert len(StageKey) == 14


@pytest.mark.parametrize("closed", ["declined", "abandoned", "superseded"])
def test_nothing_of_a_closed_one_waits_but_what_is_owed_stays(closed: str) -> None:
    found = {stage.key: stage for stage in stages(replace(FIXED, closed=closed))}
    assert found[StageKey.FIX].state is StageState.DONE
    assert (found[StageKey.REVIEW].state, found[StageKey.REVIEW].detail) == (StageState.SKIPPED, closed)
    assert of(replace(LIVE, closed=closed), "merge-back").state is StageState.OWED
    assert not finished(stages(replace(NEW, closed=closed)))


def test_each_took_as_long_as_since_the_one_before() -> None:
    took = {stage.key.value: stage.took for stage in stages(CLEAN)}
    assert took["triage"] == 60.0
    assert took["branch"] == 40.0
    assert took["fix"] == 200.0
    assert took["tag"] == 100.0
    assert took["merge-back"] == 300.0
    assert took["tests"] is None


def test_a_fix_older_than_its_branch_took_no_time() -> None:
    assert of(replace(FIXED, fixed_at=150.0), "fix").took == 0.0


def test_owed_counts_branches_and_debts() -> None:
    facts = replace(LIVE, targets=(DEVELOP, BACK), debts=(DebtFact("develop", "x"), DebtFact("develop", "y", 5.0)))
    assert facts.owed == 2


def test_a_stage_survives_being_stored() -> None:
    for stage in stages(LIVE):
        assert Stage.from_data(stage.as_data()) == stage
