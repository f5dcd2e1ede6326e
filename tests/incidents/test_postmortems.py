"""The post-mortem: opens by itself, loses no text, hints gently, is reviewed and published."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from django.utils import timezone

from incidents.postmortems.actions import action_add, action_edit, action_set
from incidents.postmortems.errors import PostMortemError, SomebodyWasFaster
from incidents.postmortems.hints import HintError, hints_in, hints_of, languages, of_team
from incidents.postmortems.models import ActionItem, Draft, PostMortem, Revision
from incidents.postmortems.opening import postmortem_open, postmortems_open_due
from incidents.postmortems.outline import PARTS
from incidents.postmortems.reviewing import (
    acted,
    open_hints,
    postmortems_remind,
    publish,
    readiness,
    review_ask,
    review_give,
)
from incidents.postmortems.timeline import entries, fact_hide, line_add, line_remove
from incidents.postmortems.writing import difference, draft_drop, hint_keep, section_write
from incidents.response.services import incident_declare, incident_link, incident_say
from releases.ledger.models import Event
from releases.ledger.services import event_write
from releases.projects.models import Project
from tests.factories import make_project, make_user
from tests.incidents.making import make_hotfix

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return make_project("shop")


@pytest.fixture
def mira(project: Project) -> Any:
    return make_user("mira", "engineer", projects=[project], email="mira@example.com")


@pytest.fixture
def jonas(project: Project) -> Any:
    return make_user("jonas", "release-manager", projects=[project])


@pytest.fixture
def document(project: Project, mira: Any) -> PostMortem:
    return postmortem_open(project, "Cards failed", severity=2, owner=mira)


def write_all(document: PostMortem, author: Any) -> None:
    for part in PARTS:
        if part.needed:
            section_write(document, part.key, "The unit of the timeout was not written down.", 0, author)
    action_add(document, "Refuse a timeout without a unit", "prevent", owner=author, due_on=date(2026, 12, 1))


def test_a_resolved_incident_opens_one_with_an_owner_and_a_date(project: Project, mira: Any) -> None:
    incident = incident_declare(project, "Cards fail", severity=1, lead=mira)
    assert postmortems_open_due(timezone.now()) == 0
    incident_say(incident, "Over.", state="resolved")
    assert postmortems_open_due(timezone.now()) == 1
    assert postmortems_open_due(timezone.now()) == 0
    document = PostMortem.objects.get()
    assert (document.key, document.owner, document.incident) == ("PM-1", mira, incident)
    assert incident.resolved_at is not None
    assert document.due_at == incident.resolved_at + timedelta(days=3)


def test_a_live_hotfix_opens_one_unless_its_incident_tells_of_it(project: Project, mira: Any) -> None:
    alone, part = make_hotfix(project, "T-1", owner=mira), make_hotfix(project, "T-2", owner=mira)
    incident = incident_declare(project, "Cards fail", lead=mira, hotfix=part)
    for hotfix in (alone, part):
        event_write(
            "hotfix.stage", project_id=project.pk, subject=f"hotfix:{hotfix.key}", target="production", new="done"
        )
    assert postmortems_open_due(timezone.now()) == 1
    incident_say(incident, "Over.", state="resolved")
    assert postmortems_open_due(timezone.now()) == 1
    assert set(PostMortem.objects.values_list("hotfix__key", "incident")) == {("T-1", None), ("T-2", incident.pk)}


def test_what_was_begun_for_the_fix_tells_of_the_incident_too(project: Project, mira: Any) -> None:
    hotfix = make_hotfix(project, "T-1", owner=mira)
    event_write("hotfix.stage", project_id=project.pk, subject="hotfix:T-1", target="production", new="done")
    assert postmortems_open_due(timezone.now()) == 1
    incident = incident_declare(project, "Cards fail", lead=mira, hotfix=hotfix)
    incident_say(incident, "Over.", state="resolved")
    assert postmortems_open_due(timezone.now()) == 0
    assert (PostMortem.objects.get().hotfix, PostMortem.objects.get().incident) == (hotfix, incident)


def test_somebody_always_owns_it(project: Project, jonas: Any) -> None:
    gone = make_user("gone", "engineer", projects=[project], is_active=False)
    incident = incident_declare(project, "Cards fail", lead=gone)
    incident_say(incident, "Over.", state="resolved")
    postmortems_open_due(timezone.now())
    assert PostMortem.objects.get().owner == jonas


def test_writing_keeps_every_version(document: PostMortem, mira: Any) -> None:
    first = section_write(document, "summary", "One", 0, mira)
    section_write(document, "summary", "One two", first.version, mira)
    section_write(document, "summary", "One two", 99, mira)
    assert list(Revision.objects.values_list("version", "text")) == [(2, "One two"), (1, "One")]


def test_nobody_writes_over_somebody_else_and_nothing_is_lost(document: PostMortem, mira: Any, jonas: Any) -> None:
    section_write(document, "summary", "Both start here", 0, mira)
    section_write(document, "summary", "Mira's text", 1, mira)
    with pytest.raises(SomebodyWasFaster) as beaten:
        section_write(document, "summary", "Jonas's text", 1, jonas)
    assert (beaten.value.section.text, beaten.value.draft.text) == ("Mira's text", "Jonas's text")
    assert Draft.objects.get().author == jonas
    section = section_write(document, "summary", "Both texts", 2, jonas)
    assert (section.version, Draft.objects.count()) == (3, 0)
    with pytest.raises(SomebodyWasFaster):
        section_write(document, "summary", "Late", 1, mira)
    draft_drop(section, mira)
    assert not Draft.objects.exists()


def test_odd_text_is_taken_or_refused_with_a_sentence(document: PostMortem, mira: Any) -> None:
    assert section_write(document, "well", "a\r\nb\x00c", 0, mira).text == "a\nbc"
    with pytest.raises(PostMortemError, match="behind a link"):
        section_write(document, "well", "x" * 50_001, 1, mira)
    with pytest.raises(PostMortemError):
        section_write(document, "made-up", "x", 0, mira)


def test_differences_are_told_by_word() -> None:
    pieces = difference("The old path was used.", "The new path was used.")
    assert [(piece.kind, piece.text) for piece in pieces if piece.kind != "same"] == [("old", "old "), ("new", "new ")]
    assert "".join(piece.text for piece in pieces if piece.kind != "old") == "The new path was used."


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Jonas should have seen it in review.", ["counterfactual"]),
        ("The root cause was human error.", ["root cause", "human error"]),
        ("Obviously jonas broke the build.", ["obviously", "one person as the cause"]),
        ("She forgot to run the check.", ["failed to"]),
        ("We must be more careful and double-check.", ["be more careful", "be more careful"]),
        ("The team is to blame.", ["blame"]),
        ("They never test with a slow bank.", ["never and always"]),
        ("The unit was not written down, and the test uses whole seconds.", []),
        ("This must not happen again; the check now fails without a unit.", []),
        ("Errors by humans and machines alike are shown on the page.", []),
    ],
)
def test_hints_notice_blame_and_leave_facts_alone(text: str, names: list[str]) -> None:
    assert [found.hint.name for found in hints_in(text, hints_of("en"), people=["jonas", "mira"])] == names


def test_every_hint_explains_itself_and_asks() -> None:
    assert languages() == ["en"]
    for hint in hints_of("en"):
        assert hint.why
        assert hint.ask.endswith("?") or hint.ask.endswith(".")
        assert hint.instead
        assert hints_in(hint.instead, hints_of("en")) == []


def test_a_team_adds_and_removes_hints_in_plain_words() -> None:
    own = of_team("en", [{"name": "ticket", "words": "TICKET*, the vendor", "ask": "Who?"}], ["obviously"])
    found = hints_in("Obviously TICKETS of the vendor (a+)+$ are late.", own)
    assert [place.quote for place in found] == ["TICKETS", "the vendor"]
    with pytest.raises(HintError):
        of_team("en", [{"name": "x", "words": "", "ask": "?"}])


def test_long_text_is_looked_at_quickly_enough_to_type_along() -> None:
    assert hints_in("a b c " * 20_000, hints_of("en")) == []
    assert len(hints_in("obviously " * 20_000, hints_of("en"))) == 100


def test_a_hint_counts_as_done_when_the_words_are_kept(document: PostMortem, mira: Any) -> None:
    section = section_write(document, "factors", "Obviously it was late.", 0, mira)
    assert list(open_hints(document)) == ["factors"]
    hint_keep(section, "Obviously")
    assert open_hints(document) == {}


def test_a_review_needs_every_part_an_owner_a_date_and_no_open_hint(document: PostMortem, mira: Any) -> None:
    with pytest.raises(PostMortemError, match="6 parts still empty"):
        review_ask(document, mira)
    write_all(document, mira)
    item = action_add(document, "Warn before", "detect")
    section = section_write(document, "well", "Obviously the alarm.", 0, mira)
    assert [done for done, _ in readiness(document).rows] == [False, False, True, False]
    action_edit(item, mira, owner=mira, due_on=date(2026, 12, 1))
    section_write(document, "well", "The alarm came at once.", section.version, mira)
    assert readiness(document).ready
    review_ask(document, mira)
    document.refresh_from_db()
    assert document.state == "review"
    with pytest.raises(PostMortemError):
        review_ask(document, mira)


ALL = {"facts": True, "tone": True, "causes": True, "actions": True}


def test_somebody_else_reads_it_before_it_is_published(document: PostMortem, mira: Any, jonas: Any) -> None:
    write_all(document, mira)
    review_ask(document, mira)
    with pytest.raises(PostMortemError, match="somebody else"):
        review_give(document, mira, "ready", ALL)
    with pytest.raises(PostMortemError, match="All four"):
        review_give(document, jonas, "ready", ALL | {"tone": False})
    with pytest.raises(PostMortemError, match="read it first"):
        publish(document, mira)
    review_give(document, jonas, "changes", ALL, "The timeline lacks the first alarm.")
    assert document.state == "draft"
    review_ask(document, mira)
    review_give(document, jonas, "ready", ALL)
    publish(document, mira)
    assert (document.state, document.published_by) == ("published", mira)
    with pytest.raises(PostMortemError, match="moved on"):
        publish(document, mira)
    action_set(document.actions.get(), "done", "Shipped.", mira)
    assert acted(document)


def test_a_summary_for_outside_reaches_the_incident_when_that_is_public(
    project: Project, mira: Any, jonas: Any
) -> None:
    for public, learned in ((True, "We wrote the unit down."), (False, "")):
        incident = incident_declare(project, "Cards fail", lead=mira, public=public)
        document = postmortem_open(project, "Cards", severity=2, owner=mira, incident=incident)
        write_all(document, mira)
        review_ask(document, mira)
        review_give(document, jonas, "ready", ALL)
        publish(document, mira, "We wrote the unit down.")
        incident.refresh_from_db()
        assert incident.afterword == learned


def test_reminders_go_on_until_it_is_published(document: PostMortem, mira: Any) -> None:
    late = document.due_at + timedelta(minutes=1)
    assert postmortems_remind(document.due_at - timedelta(minutes=1)) == 0
    assert [postmortems_remind(late), postmortems_remind(late + timedelta(hours=1))] == [1, 0]
    assert postmortems_remind(late + timedelta(days=1, minutes=1)) == 1
    event = Event.objects.filter(kind="postmortem.overdue").latest("pk")
    assert "mira owns it" in event.why
    PostMortem.objects.update(state="published")
    assert postmortems_remind(late + timedelta(days=9)) == 0


def test_overdue_actions_are_told_once_a_day(document: PostMortem, mira: Any) -> None:
    item = action_add(document, "Warn before", "detect", owner=mira, due_on=timezone.localdate() - timedelta(days=1))
    assert [postmortems_remind(timezone.now()), postmortems_remind(timezone.now())] == [1, 0]
    assert Event.objects.get(kind="action.overdue").target == item.key
    action_set(item, "dropped", "The vendor does it.", mira)
    assert postmortems_remind(timezone.now() + timedelta(days=2)) == 0


def test_the_timeline_is_filled_in_and_people_add_and_hide(project: Project, mira: Any, jonas: Any) -> None:
    incident = incident_declare(project, "Cards fail", lead=mira, actor=mira)
    hotfix = make_hotfix(project, owner=jonas)
    incident_link(incident, hotfix, jonas)
    event_write(
        "hotfix.stage", project_id=project.pk, subject=f"hotfix:{hotfix.key}", target="production", new="done",
        evidence={"at": timezone.now().timestamp(), "tag": "v1.2.3"},
    )  # fmt: skip
    document = postmortem_open(project, "Cards", severity=2, owner=mira, incident=incident)
    mine = line_add(document, timezone.now() - timedelta(hours=2), "Support hears of it", mira, "https://example.com/1")
    found = entries(document)
    assert [entry.kind for entry in found] == ["added", "state", "state", "deploy"]
    assert found[-1].text == "TICKET-7: live in production (v1.2.3)."
    assert found[-1].link == "/projects/shop/hotfixes/TICKET-7/"
    assert [entry.who for entry in found] == ["incident lead", "incident lead", "a colleague", "git"]
    assert found[1].event is not None
    fact_hide(document, found[1].event, True, mira)
    assert len(entries(document)) == 3
    assert [entry.hidden for entry in entries(document, hidden=True)] == [False, True, False, False]
    line_remove(mine)
    document.names_people = True
    assert [entry.who for entry in entries(document)] == ["jonas", "git"]
    other = incident_declare(project, "Another")
    event = Event.objects.filter(subject=f"incident:{other.key}").latest("pk")
    with pytest.raises(PostMortemError, match="no fact of this"):
        fact_hide(document, event, True, mira)


@pytest.mark.parametrize(
    "fields",
    [{"text": " "}, {"text": "x" * 501}, {"link": "javascript:alert(1)"}, {"at": timezone.now() + timedelta(days=1)}],
)
def test_a_line_that_cannot_be_is_refused(document: PostMortem, mira: Any, fields: dict[str, Any]) -> None:
    told = {"at": timezone.now(), "text": "It began", "author": mira} | fields
    with pytest.raises(PostMortemError):
        line_add(document, **told)


def test_people_close_drop_and_reopen_actions_with_a_reason(document: PostMortem, mira: Any) -> None:
    item = action_add(document, "Warn before", "detect", owner=mira)
    assert (item.key, ActionItem.objects.get().state) == ("PM-1-1", "open")
    with pytest.raises(PostMortemError, match="Say why"):
        action_set(item, "done", " ", mira)
    action_set(item, "done", "Shipped in v1.3.0.", mira)
    action_set(item, "open", "The alarm does not ring.", mira)
    kinds = list(Event.objects.filter(kind__startswith="action.").order_by("pk").values_list("kind", flat=True))
    assert kinds == ["action.added", "action.done", "action.reopened"]
    with pytest.raises(PostMortemError):
        action_add(document, "x", "made-up")
    with pytest.raises(PostMortemError):
        action_add(document, "x", "detect", link="javascript:alert(1)")
