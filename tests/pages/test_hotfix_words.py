"""Small parts of the hotfix pages: names in sentences, meters, steps."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from releases.evidence.verdicts import Code
from releases.hotfixes.stages import NOT_TRACKED, Stage, StageKey, StageState
from releases.templatetags.hotfixes import meter, told
from releases.views import steps
from releases.views.hotfix_page import telling
from tests.factories import make_fix, make_project, make_target, make_verdict


@pytest.mark.parametrize(
    ("text", "names", "shown"),
    [
        ("Merge v1.2.3 back into develop", ["develop"], ["v1.2.3", "develop"]),
        ("developers wait for develop.", ["develop"], ["develop"]),
        ("Also owed to release/1.3.", ["release/1.3", "release/1"], ["release/1.3"]),
        ("It changes 6 files; 5 is the limit.", ["main"], []),
        ("<b>main</b>", ["main"], ["main"]),
    ],
)
def test_names_in_sentences_are_set_apart(text: str, names: list[str], shown: list[str]) -> None:
    html = told(text, names)
    assert [part.split("</span>")[0] for part in html.split('<span class="ref">')[1:]] == shown
    assert "<b>" not in html


def test_a_meter_is_amber_only_past_its_limit() -> None:
    assert "bar-soon" not in meter(5, 5)
    assert "bar-soon" in meter(6, 5)
    assert 'width="0.00%"' in meter(0, 0)


def test_what_is_not_tracked_yet_stays_quiet() -> None:
    quiet = steps.step(Stage(StageKey.TESTS, StageState.SKIPPED, detail=NOT_TRACKED))
    told_of = steps.step(Stage(StageKey.REVIEW, StageState.SKIPPED, detail="not required"))
    assert quiet.below == []
    assert told_of.below == ["not required"]
    assert quiet.hint == "Tests: not needed, not tracked yet"


def test_an_owed_step_does_not_say_it_twice() -> None:
    assert steps.step(Stage(StageKey.MERGE_BACK, StageState.OWED, detail="owed to develop")).below == [
        "owed to develop"
    ]
    assert steps.step(Stage(StageKey.REVIEW, StageState.WAITING, detail="0 of 1")).below == ["waiting", "0 of 1"]


def test_what_waited_before_its_ticket_was_opened_has_waited_no_shorter() -> None:
    opened = timezone.now()
    live = Stage(StageKey.PRODUCTION, StageState.DONE, at=(opened - timedelta(days=2)).timestamp())
    owed = Stage(StageKey.MERGE_BACK, StageState.OWED)
    asked = Stage(StageKey.TRIAGE, StageState.WAITING)
    assert steps.since([live, owed], StageKey.MERGE_BACK, opened) > timedelta(days=1, hours=23)
    assert steps.since([asked, live], StageKey.TRIAGE, opened) < timedelta(hours=1)
    assert steps.since([owed], StageKey.MERGE_BACK, opened) < timedelta(hours=1)


@pytest.mark.django_db
def test_a_branch_is_named_once_unless_more_is_open_there() -> None:
    """On two supported lines the fix is in production twice, and each of its commits is judged for main."""
    project = make_project("lines")
    main, other = make_target(project, "main"), make_target(project, "stable/1.1", position=1)
    first, second = make_fix(project, production_ref="stable/1.0"), make_fix(project, production_ref="stable/1.1")
    settled = make_verdict(first, main, Code.MERGED)
    also = make_verdict(second, main, Code.EQUIVALENT)
    there = make_verdict(first, other, Code.MERGED)
    assert telling([settled, also, there]) == [settled, there]
    owed = [make_verdict(make_fix(project), main, Code.MISSING) for _ in range(2)]
    assert telling([*owed, settled, there]) == [*owed, there]
