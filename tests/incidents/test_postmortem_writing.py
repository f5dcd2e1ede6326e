"""Writing a part through its page, with and without script: saved, both texts of two writers, hints, history."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client

from incidents.postmortems.actions import action_add
from incidents.postmortems.editing import factor_save, measure_save
from incidents.postmortems.models import Draft, PostMortem, Revision, Section
from incidents.postmortems.opening import postmortem_open
from incidents.postmortems.writing import section_write
from releases.projects.models import Project
from tests.factories import make_project, make_user

pytestmark = pytest.mark.django_db
SCRIPT = {"HX-Request": "true", "HX-Target": "after-summary"}


@pytest.fixture
def project() -> Project:
    return make_project("shop")


@pytest.fixture
def mira(project: Project) -> Any:
    return make_user("mira", "engineer", projects=[project])


@pytest.fixture
def jonas(project: Project) -> Any:
    return make_user("jonas", "engineer", projects=[project])


@pytest.fixture
def document(project: Project, mira: Any) -> PostMortem:
    return postmortem_open(project, "Cards failed", severity=2, owner=mira)


@pytest.fixture
def page(client: Client, mira: Any) -> Client:
    client.force_login(mira)
    return client


def url(document: PostMortem, rest: str = "") -> str:
    return f"/postmortems/{document.key}/{rest}"


def text_of(document: PostMortem, key: str = "summary") -> str:
    return Section.objects.get(postmortem=document, key=key).text


def test_every_part_has_its_field_its_question_and_a_button(page: Client, document: PostMortem) -> None:
    html = page.get(url(document)).content.decode()
    assert html.count('class="pm-f"') == 10
    assert "Follow the change, not the person" in html
    assert 'placeholder="We assumed that…"' in html
    assert html.count(">Save</button>") == 10


def test_saving_without_script_leads_back_to_the_part(page: Client, document: PostMortem) -> None:
    answer = page.post(url(document, "parts/summary/"), {"text": "One", "base": "0"})
    assert (answer.status_code, answer.headers["Location"]) == (302, url(document, "#s-summary"))
    assert "One</textarea>" in page.get(url(document)).content.decode()


def test_saving_with_script_answers_what_stands_below_the_field(page: Client, document: PostMortem) -> None:
    answer = page.post(url(document, "parts/summary/"), {"text": "One", "base": "0", "by-itself": "1"}, headers=SCRIPT)
    html = answer.content.decode()
    assert html.lstrip().startswith('<div class="pm-a" id="after-summary"')
    assert '<input type="hidden" name="base" value="1">' in html
    assert "by mira" in html
    assert "Before review" in html


def test_without_script_both_texts_come_back_and_one_decides(
    page: Client, client: Client, document: PostMortem, mira: Any, jonas: Any
) -> None:
    section_write(document, "summary", "Jonas's text", 0, jonas)
    answer = page.post(url(document, "parts/summary/"), {"text": "Mira's text", "base": "0"}, follow=True)
    html = answer.content.decode()
    assert "Somebody wrote here in the meantime" in html
    assert "jonas wrote here too" in html
    assert "Mira&#x27;s text</textarea>" in html
    assert text_of(document) == "Jonas's text"
    page.post(url(document, "parts/summary/"), {"text": "Mira's text", "base": "0", "seen": "1", "settle": "both"})
    assert text_of(document) == "Jonas's text\n\nMira's text"
    assert not Draft.objects.exists()


@pytest.mark.parametrize(
    ("settle", "kept"), [("mine", "Mine, mended"), ("theirs", "Theirs"), ("both", "Theirs\n\nMine, mended")]
)
def test_deciding_keeps_the_other_text_in_the_history(
    page: Client, document: PostMortem, jonas: Any, settle: str, kept: str
) -> None:
    section_write(document, "summary", "Theirs", 0, jonas)
    address = url(document, "parts/summary/")
    beaten = page.post(address, {"text": "Mine", "base": "0", "by-itself": "1"}, headers=SCRIPT)
    assert beaten.status_code == 409
    assert "data-conflict" in beaten.content.decode()
    answer = page.post(address, {"text": "Mine, mended", "base": "0", "seen": "1", "settle": settle}, headers=SCRIPT)
    assert answer.status_code == 200
    assert text_of(document) == kept
    assert "Theirs" in Revision.objects.values_list("text", flat=True)
    assert not Draft.objects.exists()


def test_a_decision_on_what_was_on_the_screen_is_beaten_by_what_came_later(
    page: Client, document: PostMortem, jonas: Any
) -> None:
    section_write(document, "summary", "Theirs", 0, jonas)
    address = url(document, "parts/summary/")
    page.post(address, {"text": "Mine", "base": "0"}, headers=SCRIPT)
    section_write(document, "summary", "Theirs, later", 1, jonas)
    answer = page.post(address, {"text": "Mine", "base": "0", "seen": "1", "settle": "mine"}, headers=SCRIPT)
    assert answer.status_code == 409
    assert (text_of(document), Draft.objects.get().text) == ("Theirs, later", "Mine")


def test_what_is_too_long_stays_in_the_field_with_the_reason(page: Client, document: PostMortem) -> None:
    long = "word " * 10_001
    answer = page.post(url(document, "parts/summary/"), {"text": long, "base": "0"})
    html = answer.content.decode()
    assert answer.status_code == 422
    assert "behind a link" in html
    assert long in html
    answer = page.post(url(document, "parts/summary/"), {"text": long, "base": "0"}, headers=SCRIPT)
    assert answer.status_code == 422
    assert "behind a link" in answer.content.decode()


def test_a_hint_asks_a_question_and_one_press_keeps_the_words(page: Client, document: PostMortem) -> None:
    data = {"text": "Jonas should have seen it.", "base": "0"}
    html = page.post(url(document, "parts/summary/"), data, headers=SCRIPT).content.decode()
    assert "<mark>should have</mark>" in html
    assert "What did people see at the time that made it look right?" in html
    assert "1 wording hint open" in html
    html = page.get(url(document)).content.decode()
    assert "<mark>should have</mark>" in html
    html = page.post(
        url(document, "parts/summary/"), data | {"base": "1", "keep": "should have"}, headers=SCRIPT
    ).content.decode()
    assert "<mark>" not in html
    assert "No wording hint is open" in html


def test_saving_by_itself_fills_no_history_with_single_words(document: PostMortem, mira: Any, jonas: Any) -> None:
    texts = ["The", "The unit", "The unit was wrong", "The unit was long", "The unit was long.", "", "New"]
    for base, text in enumerate(texts):
        section_write(document, "summary", text, base, mira, by_itself=True)
    kept = list(Revision.objects.order_by("version").values_list("text", flat=True))
    # Whatever was taken out again stands in one that is kept.
    assert kept == ["The unit was wrong", "The unit was long.", "New"]
    section_write(document, "summary", "New, too", 7, jonas, by_itself=True)
    section_write(document, "summary", "New, too, by a press", 8, jonas)
    assert Revision.objects.filter(author=jonas).count() == 2


def test_the_history_tells_who_changed_what(page: Client, document: PostMortem, mira: Any, jonas: Any) -> None:
    section_write(document, "summary", "The old path was used.", 0, mira)
    section_write(document, "summary", "The new path was used.", 1, jonas)
    html = page.get(url(document, "parts/summary/history/")).content.decode()
    assert html.index("Version 2") < html.index("Version 1")
    assert "<del>old </del><ins>new </ins>" in html
    assert "by jonas, +1 −1 words" in html
    for number in range(2, 30):
        section_write(document, "summary", f"Text {number}", number, mira)
    first = page.get(url(document, "parts/summary/history/")).content.decode()
    assert first.count("<h2>Version") == 20
    older = page.get(url(document, "parts/summary/history/?before=11")).content.decode()
    assert older.count("<h2>Version") == 10
    assert "Version 1 " in older
    assert page.get(url(document, "parts/nonsense/history/")).status_code == 404


def test_a_published_document_is_read_and_not_written(page: Client, document: PostMortem, mira: Any) -> None:
    section_write(document, "summary", "**Done**", 0, mira)
    PostMortem.objects.update(state="published")
    html = page.get(url(document)).content.decode()
    assert "<strong>Done</strong>" in html
    assert "<textarea" not in html
    answer = page.post(url(document, "parts/summary/"), {"text": "Later", "base": "1"}, headers=SCRIPT)
    assert answer.status_code == 422
    assert "Take it back to a draft" in answer.content.decode()
    assert text_of(document) == "**Done**"


def test_a_page_that_saves_by_itself_is_told_that_nobody_is_signed_in(client: Client, document: PostMortem) -> None:
    answer = client.post(url(document, "parts/summary/"), {"text": "x", "base": "0"}, headers=SCRIPT)
    assert (answer.status_code, answer.content) == (401, b"You are signed out.")
    answer = client.post(url(document, "parts/summary/"), {"text": "x", "base": "0"})
    assert answer.status_code == 302
    assert "/login/" in answer.headers["Location"]


def test_odd_versions_and_parts_are_no_error(page: Client, document: PostMortem) -> None:
    for base in ("", "x", "-1", "999999999999999999999", "１"):
        assert page.post(url(document, "parts/well/"), {"text": "x", "base": base}, headers=SCRIPT).status_code in (
            200,
            409,
        )
    assert page.post(url(document, "parts/nonsense/"), {"text": "x"}).status_code == 404
    assert page.get(url(document, "parts/summary/")).status_code == 405
    for key in ("PM-0", "PM-99", "PM-x", "pm-1", "PM-１", "INC-1", "PM-12345678901234"):
        assert page.get(f"/postmortems/{key}/").status_code == 404


def test_the_page_costs_the_same_however_much_there_is(
    page: Client, document: PostMortem, mira: Any, django_assert_max_num_queries: Any
) -> None:
    for number in range(20):
        section_write(document, "summary", f"Text {number}", number, mira)
        action_add(document, f"Do {number}", "prevent", owner=mira)
        measure_save(document, f"Number {number}", "1")
        factor_save(document, f"Factor {number}")
    with django_assert_max_num_queries(45):
        page.get(url(document))


def test_nothing_inline_and_every_label_points_at_something(page: Client, document: PostMortem, jonas: Any) -> None:
    section_write(document, "summary", "Jonas should have seen it.", 0, jonas)
    page.post(url(document, "parts/summary/"), {"text": "Mine", "base": "0"}, headers=SCRIPT)
    factor_save(document, "The unit was not written down")
    action_add(document, "Refuse it", "prevent")
    for path in (url(document), url(document, "read/"), url(document, "parts/summary/history/")):
        html = page.get(path).content.decode()
        assert not re.search(r"<script(?![^>]*\bsrc=)|<style|<[^>]+\s(style|on[a-z]+)=", html), path
        ids = re.findall(r'\sid="([^"]+)"', html)
        assert len(ids) == len(set(ids)), path
        pointed = re.findall(r'\s(?:for|aria-labelledby|aria-describedby)="([^"]+)"', html)
        assert {name for names in pointed for name in names.split()} <= set(ids), path
        assert len(re.findall(r"<h1\b", html)) == 1


def test_whoever_writes_while_it_is_published_is_led_to_what_is_read(page: Client, document: PostMortem) -> None:
    headers = {"HX-Request": "true", "HX-Target": "postmortem"}
    assert page.get(url(document), headers=headers).content.decode().lstrip().startswith('<div id="postmortem"')
    PostMortem.objects.update(state="published")
    answer = page.get(url(document), headers=headers)
    assert (answer.status_code, answer.headers["HX-Refresh"]) == (204, "true")
    headers["HX-Target"] = "postmortem-read"
    part = page.get(url(document, "read/"), headers=headers).content.decode()
    assert part.lstrip().startswith('<div id="postmortem-read"')
