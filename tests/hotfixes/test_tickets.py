"""What people do to a ticket: open, triage, decide, edit, close, reopen, split; each with one ledger row."""

from __future__ import annotations

from typing import Any

import pytest

from releases.hotfixes.errors import HotfixError
from releases.hotfixes.listing import HotfixQuery, hotfix_list
from releases.hotfixes.models import Hotfix
from releases.hotfixes.services import (
    hotfix_choose_way,
    hotfix_close,
    hotfix_decide,
    hotfix_edit,
    hotfix_open,
    hotfix_reopen,
    hotfix_split,
    hotfix_triage,
    track_of,
)
from releases.hotfixes.triage import Answer
from releases.ledger.models import Event
from releases.projects.models import Project
from tests.factories import make_project, make_user
from tests.hotfixes.playing import YES, states

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return make_project("shop")


@pytest.fixture
def mira() -> Any:
    return make_user("mira", "engineer")


def told() -> list[str]:
    return list(Event.objects.order_by("pk").values_list("kind", flat=True))


def test_opening_writes_who_and_takes_part(project: Project, mira: Any) -> None:
    hotfix = hotfix_open(project, " TICKET-7 ", "Payments fail", severity=1, owner=mira, actor=mira)
    assert (hotfix.key, hotfix.stage, list(hotfix.people.all())) == ("TICKET-7", "triage", [mira])
    event = Event.objects.get()
    assert (event.kind, event.actor, event.subject, event.new) == ("hotfix.opened", mira, "hotfix:TICKET-7", "SEV1")
    with pytest.raises(HotfixError, match="TICKET-7 is a hotfix already: Payments fail"):
        hotfix_open(project, "TICKET-7", "Again")
    hotfix_open(make_project(), "TICKET-7", "Elsewhere")


def test_three_yes_make_a_hotfix(project: Project, mira: Any) -> None:
    hotfix = hotfix_triage(hotfix_open(project, "TICKET-7", "Payments fail"), YES, mira)
    assert track_of(hotfix) == "hotfix"
    assert hotfix.stage == "branch"
    assert told() == ["hotfix.opened", "hotfix.triaged"]


@pytest.mark.parametrize("no", ["critical", "production", "no_workaround"])
def test_one_no_declines_it(project: Project, mira: Any, no: str) -> None:
    answers = YES | {no: Answer(False, "Cash works.")}
    hotfix = hotfix_triage(hotfix_open(project, "TICKET-7", "Payments fail"), answers, mira)
    assert (hotfix.closed, track_of(hotfix)) == ("declined", "regular")
    assert hotfix.closed_why.startswith("It goes into the next regular release: ")
    assert states(hotfix)["branch"] == "skipped"


def test_a_release_manager_decides_otherwise_and_back(project: Project, mira: Any) -> None:
    answers = YES | {"critical": Answer(False, "Only a colour.")}
    hotfix = hotfix_triage(hotfix_open(project, "TICKET-7", "Payments fail"), answers, mira)
    hotfix = hotfix_decide(hotfix, "hotfix", "The board asked for it.", mira)
    assert (hotfix.closed, track_of(hotfix)) == ("", "hotfix")
    assert hotfix.triage["decided"]["by"] == "mira"
    with pytest.raises(HotfixError, match="decided already"):
        hotfix_decide(hotfix, "hotfix", "Again.", mira)
    assert hotfix_decide(hotfix, "regular", "It can wait.", mira).closed == "declined"


def test_nothing_is_decided_before_triage(project: Project) -> None:
    with pytest.raises(HotfixError, match="three questions first"):
        hotfix_decide(hotfix_open(project, "TICKET-7", "Payments fail"), "regular", "No.")


@pytest.mark.parametrize("missing", ["critical", "production", "no_workaround"])
def test_every_question_wants_an_answer_with_a_reason(project: Project, missing: str) -> None:
    hotfix = hotfix_open(project, "TICKET-7", "Payments fail")
    for answers in ({k: v for k, v in YES.items() if k != missing}, YES | {missing: Answer(True, " ")}):
        with pytest.raises(HotfixError) as refused:
            hotfix_triage(hotfix, answers)
        assert refused.value.field == missing
    hotfix.refresh_from_db()
    assert hotfix.triage == {}


def test_edits_are_told_in_one_row(project: Project, mira: Any) -> None:
    hotfix = hotfix_open(project, "TICKET-7", "Payments fail")
    hotfix = hotfix_edit(hotfix, mira, title="Cards fail", severity=1, owner=mira, people=[mira])
    assert (hotfix.title, hotfix.severity, hotfix.owner) == ("Cards fail", 1, mira)
    event = Event.objects.get(kind="hotfix.edited")
    assert "title from Payments fail to Cards fail" in event.why
    assert "mira takes part" in event.why
    hotfix_edit(hotfix, mira, title="Cards fail")
    assert told().count("hotfix.edited") == 1
    with pytest.raises(TypeError):
        hotfix_edit(hotfix, mira, closed="declined")


def test_the_way_is_chosen_with_a_reason(project: Project, mira: Any) -> None:
    hotfix = hotfix_choose_way(hotfix_open(project, "TICKET-7", "Payments fail"), "cut", "Main is half done.", mira)
    assert (hotfix.way, hotfix.way_why) == ("cut", "Main is half done.")
    assert Event.objects.get(kind="hotfix.way").why == "Main is half done."
    for way, why in (("fly", "x"), ("cut", "")):
        with pytest.raises(HotfixError):
            hotfix_choose_way(hotfix, way, why)


def test_closing_and_reopening(project: Project, mira: Any) -> None:
    hotfix = hotfix_open(project, "TICKET-7", "Payments fail")
    other = hotfix_open(project, "TICKET-8", "All of payments")
    for wrong in (None, hotfix, hotfix_open(make_project(), "TICKET-9", "Elsewhere")):
        with pytest.raises(HotfixError) as refused:
            hotfix_close(hotfix, "superseded", "Part of it.", mira, by=wrong)
        assert refused.value.field == "by"
    hotfix = hotfix_close(hotfix, "superseded", "Part of it.", mira, by=other)
    assert (hotfix.closed, hotfix.superseded_by) == ("superseded", other)
    with pytest.raises(HotfixError, match="was superseded by TICKET-8 itself"):
        hotfix_close(other, "superseded", "In a circle.", mira, by=hotfix)
    with pytest.raises(HotfixError, match="Reopen it first"):
        hotfix_close(hotfix, "abandoned", "Twice.", mira)
    hotfix = hotfix_reopen(hotfix, "It is not.", mira)
    assert (hotfix.closed, hotfix.superseded_by, hotfix.closed_at) == ("", None, None)
    with pytest.raises(HotfixError, match="is open"):
        hotfix_reopen(hotfix, "Again.", mira)


def test_what_does_not_belong_goes_on_in_a_ticket_of_its_own(project: Project, mira: Any) -> None:
    hotfix = hotfix_open(project, "TICKET-7", "Payments fail", owner=mira)
    first = hotfix_split(hotfix, "Tidy the form", mira)
    second = hotfix_split(hotfix, "Rename the till", mira)
    third = hotfix_split(hotfix, "Other", mira, key="TICKET-30")
    assert [(row.key, row.follows_id) for row in (first, second, third)] == [
        ("TICKET-7-2", hotfix.pk), ("TICKET-7-3", hotfix.pk), ("TICKET-30", hotfix.pk),
    ]  # fmt: skip
    assert Event.objects.filter(kind="hotfix.split", subject="hotfix:TICKET-7").count() == 3


def test_the_list_filters_and_counts(project: Project, mira: Any, django_assert_num_queries: Any) -> None:
    for number in range(30):
        hotfix_open(project, f"TICKET-{number}", f"Problem {number}", severity=number % 4 + 1)
    Hotfix.objects.filter(key__in=["TICKET-1", "TICKET-2"]).update(owed_count=2, owner=mira)
    Hotfix.objects.filter(key="TICKET-3").update(closed="abandoned")
    with django_assert_num_queries(2):
        found = hotfix_list(project, mira, HotfixQuery.from_params({}))
    assert (len(found.rows), found.total, found.pages) == (25, 29, 2)
    assert found.counts == {"open": 29, "owed": 2, "done": 0, "closed": 1, "all": 30}
    assert found.rows[0].stage_now is not None
    mine = hotfix_list(project, mira, HotfixQuery.from_params({"owner": "me", "show": "owed", "sort": "key"}))
    assert [row.key for row in mine.rows] == ["TICKET-1", "TICKET-2"]
    assert hotfix_list(project, mira, HotfixQuery.from_params({"q": "problem 29"})).rows[0].key == "TICKET-29"
    assert hotfix_list(project, mira, HotfixQuery.from_params({"page": "99"})).query.page == 2
    assert hotfix_list(None, mira, HotfixQuery()).rows == []
    assert hotfix_list(None, make_user(all_projects=True), HotfixQuery(project="shop")).total == 29
