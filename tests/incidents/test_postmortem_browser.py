"""Two people write one post-mortem in real browsers: it saves itself, both see each other's, and no word is lost."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from incidents.postmortems.models import Draft, PostMortem, Revision, Section
from incidents.postmortems.opening import postmortem_open
from incidents.postmortems.outline import PARTS
from incidents.postmortems.writing import section_write
from releases.projects.models import Project
from tests.factories import make_project, make_user
from tests.plugins.real import Broker, Pages, Site

pytestmark = [pytest.mark.browser, pytest.mark.broker, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def people(broker: Broker) -> tuple[Any, Any]:
    project = make_project("shop")
    return make_user("mira", "engineer", projects=[project]), make_user("jonas", "engineer", projects=[project])


@pytest.fixture
def document(people: tuple[Any, Any]) -> PostMortem:
    return postmortem_open(Project.objects.get(), "Cards failed", severity=2, owner=people[0])


def opened(open_page: Pages, site: Site, person: Any, document: PostMortem) -> Page:
    page = open_page(site.url, person)
    page.goto(f"/postmortems/{document.key}/")
    page.wait_for_timeout(500)
    return page


def said(page: Page, part: str = "summary") -> Any:
    return page.locator(f"#after-{part} [data-saved]")


def text_of(document: PostMortem, key: str = "summary") -> str:
    section = Section.objects.filter(postmortem=document, key=key).first()
    return section.text if section else ""


def test_two_people_write_and_both_texts_are_there(
    open_page: Pages, site: Site, people: tuple[Any, Any], document: PostMortem
) -> None:
    open_page.expected += ["409 (Conflict)"]
    mira, jonas = (opened(open_page, site, person, document) for person in people)
    expect(mira.locator("#pm-here")).to_contain_text("jonas")
    # What one writes is saved without a press, and the other sees it.
    mira.locator("#t-summary").press_sequentially("The unit was wrong.", delay=20)
    expect(said(mira)).to_contain_text("by mira")
    expect(jonas.locator("#t-summary")).to_have_value("The unit was wrong.")
    expect(jonas.locator("#pm-here")).to_contain_text("writing Summary")
    expect(jonas.locator(".pm-nav a", has_text="Summary").locator(".ok")).to_be_visible()
    # In different parts nobody notices the other.
    jonas.locator("#t-occur").fill("We assumed that it is in seconds.")
    mira.locator("#t-caught").fill("Tests use whole seconds.")
    expect(said(jonas, "occur")).to_contain_text("Saved")
    expect(said(mira, "caught")).to_contain_text("Saved")
    expect(mira.locator("#t-occur")).to_have_value("We assumed that it is in seconds.")
    # In the same one the slower one gets both, side by side.
    jonas.route("**/parts/summary/", lambda route: (jonas.wait_for_timeout(1500), route.continue_()))
    jonas.locator("#t-summary").fill("The unit was wrong. It was milliseconds.")
    mira.locator("#t-summary").fill("The unit was wrong. Nobody could see it.")
    expect(said(mira)).to_contain_text("by mira")
    expect(jonas.locator("#after-summary .pm-two")).to_contain_text("mira wrote here too", timeout=10_000)
    jonas.unroute("**/parts/summary/")
    expect(jonas.locator("#after-summary .pm-old")).to_contain_text("Nobody could see it.")
    expect(jonas.locator("#after-summary .pm-new")).to_contain_text("It was milliseconds.")
    assert text_of(document) == "The unit was wrong. Nobody could see it."
    assert Draft.objects.get().text == "The unit was wrong. It was milliseconds."
    # His own text goes on being kept while he writes, and a reload brings it back.
    jonas.locator("#t-summary").press("End")
    jonas.locator("#t-summary").press_sequentially(" Twice.")
    expect(said(jonas)).to_contain_text("Yours is kept")
    jonas.reload()
    expect(jonas.locator("#t-summary")).to_have_value("The unit was wrong. It was milliseconds. Twice.")
    jonas.get_by_role("button", name="Put mine below theirs").click()
    both = "The unit was wrong. Nobody could see it.\n\nThe unit was wrong. It was milliseconds. Twice."
    expect(jonas.locator("#t-summary")).to_have_value(both)
    expect(mira.locator("#t-summary")).to_have_value(both)
    assert text_of(document) == both
    assert not Draft.objects.exists()


def test_a_lost_connection_and_a_closed_tab_lose_nothing(
    open_page: Pages, site: Site, people: tuple[Any, Any], document: PostMortem
) -> None:
    open_page.expected += ["ERR_FAILED", "Failed to load resource", "htmx:", "Response Status Error"]
    page = opened(open_page, site, people[0], document)
    page.route("**/parts/**", lambda route: route.abort())
    page.locator("#t-summary").fill("Written in a tunnel.")
    expect(said(page)).to_contain_text("No connection")
    expect(said(page)).to_contain_text("Your text is kept in this browser")
    assert text_of(document) == ""
    # The tab is closed while nothing arrives; the next one brings the text back and saves it.
    page.reload()
    expect(page.locator("#t-summary")).to_have_value("Written in a tunnel.")
    page.unroute("**/parts/**")
    expect(said(page)).to_contain_text("by mira", timeout=15_000)
    assert text_of(document) == "Written in a tunnel."
    # Typed and closed within the same second.
    page.locator("#t-occur").fill("Typed just before closing.")
    page.goto("about:blank")
    page.goto(f"{site.url}/postmortems/{document.key}/")
    expect(page.locator("#t-occur")).to_have_value("Typed just before closing.")
    expect(said(page, "occur")).to_contain_text("Saved")
    # Kept here while somebody else was faster: both come up.
    page.route("**/parts/**", lambda route: route.abort())
    page.locator("#t-change").fill("Mine, offline.")
    expect(said(page, "change")).to_contain_text("No connection")
    section_write(document, "change", "Theirs, meanwhile.", 0, people[1])
    page.goto("about:blank")
    page.unroute("**/parts/**")
    page.goto(f"{site.url}/postmortems/{document.key}/")
    expect(page.locator("#after-change .pm-two")).to_contain_text("jonas wrote here too")
    expect(page.locator("#t-change")).to_have_value("Mine, offline.")
    page.get_by_role("button", name="Use what is in the field").click()
    expect(said(page, "change")).to_contain_text("by mira")
    assert text_of(document, "change") == "Mine, offline."
    assert "Theirs, meanwhile." in Revision.objects.values_list("text", flat=True)


def test_somebody_who_is_signed_out_is_told_and_keeps_the_text(
    open_page: Pages, site: Site, people: tuple[Any, Any], document: PostMortem
) -> None:
    open_page.expected += ["Failed to load resource", "Response Status Error"]
    page = opened(open_page, site, people[0], document)
    page.context.clear_cookies()
    page.locator("#t-summary").fill("Still here.")
    expect(said(page)).to_contain_text("Your text is kept in this browser")
    expect(page.locator("#t-summary")).to_have_value("Still here.")


def test_hints_and_the_preview_stand_beside_the_text(
    open_page: Pages, site: Site, people: tuple[Any, Any], document: PostMortem
) -> None:
    page = opened(open_page, site, people[0], document)
    page.locator("#t-summary").fill("Somebody should have **seen** it.")
    expect(page.locator("#after-summary .bl")).to_contain_text("What did people see at the time")
    page.get_by_role("button", name="Keep my words").click()
    expect(page.locator("#after-summary .bl")).to_have_count(0)
    expect(page.locator("#pm-ready")).to_contain_text("No wording hint is open")
    page.locator("#after-summary [data-preview]").click()
    expect(page.locator("#p-summary strong")).to_have_text("seen")
    page.locator("#after-summary [data-preview]").click()
    expect(page.locator("#t-summary")).to_be_focused()


def test_from_draft_to_published_in_dialogs_while_the_other_follows(
    open_page: Pages, site: Site, people: tuple[Any, Any], document: PostMortem
) -> None:
    for part in PARTS:
        if part.needed:
            section_write(document, part.key, "The unit was not written down.", 0, people[0])
    mira, jonas = (opened(open_page, site, person, document) for person in people)
    mira.locator("#do-action").click()
    mira.get_by_label("What is done").fill("Refuse a timeout without a unit")
    mira.get_by_role("dialog").get_by_role("button", name="Save").click()
    expect(mira.locator("#item-1")).to_contain_text("nobody yet")
    expect(jonas.locator("#item-1")).to_contain_text("Refuse a timeout without a unit")
    expect(mira.locator("#do-ask")).to_have_count(0)
    mira.locator("#edit-PM-1-1").click()
    mira.get_by_label("Owner").select_option("mira")
    mira.get_by_label("Due").fill("2030-12-01")
    mira.get_by_role("dialog").get_by_role("button", name="Save").click()
    mira.locator("#do-ask").click()
    mira.get_by_role("dialog").get_by_role("button", name="Ask for review").click()
    expect(mira.locator("#pm-off")).to_contain_text("turns on when they find it ready")
    jonas.locator("#do-review").click()
    boxes = jonas.get_by_role("dialog").get_by_role("checkbox")
    expect(boxes).to_have_count(4)
    for box in boxes.all():
        box.check()
    jonas.get_by_label("It is ready").check()
    jonas.get_by_role("button", name="Say it").click()
    mira.locator("#do-publish").click()
    mira.get_by_role("dialog").get_by_role("button", name="Publish").click()
    expect(mira.locator("#postmortem-read")).to_contain_text("The unit was not written down.")
    # The other's page is another one now, and follows by itself.
    expect(jonas.locator("#postmortem-read")).to_be_visible()
    expect(jonas.locator("textarea")).to_have_count(0)
    mira.locator("#set-PM-1-1").click()
    mira.get_by_label("Reason").fill("Shipped with v1.2.3.")
    mira.get_by_role("dialog").get_by_role("button", name="Close it").click()
    expect(jonas.locator(".pm-flow li[aria-current]", has_text="Acted upon")).to_be_visible()


def test_everything_works_without_script(
    open_page: Pages, site: Site, people: tuple[Any, Any], document: PostMortem
) -> None:
    open_page.expected.append("409 (Conflict)")
    page = open_page(site.url, people[0], script=False)
    page.goto(f"/postmortems/{document.key}/")
    page.locator("#t-summary").fill("Somebody should have seen it.")
    page.locator("#f-summary").get_by_role("button", name="Save").click()
    expect(page.locator("#after-summary .bl")).to_contain_text("What did people see at the time")
    page.get_by_role("button", name="Keep my words").click()
    expect(page.locator("#after-summary .bl")).to_have_count(0)
    section_write(document, "summary", "Theirs.", 1, people[1])
    page.locator("#t-summary").fill("Mine.")
    page.locator("#f-summary").get_by_role("button", name="Save").click()
    expect(page.locator("#after-summary .pm-two")).to_contain_text("jonas wrote here too")
    page.get_by_role("button", name="Put mine below theirs").click()
    expect(page.locator("#t-summary")).to_have_value("Theirs.\n\nMine.")
    page.locator("#do-factor").click()
    page.get_by_label("It became possible because").fill("The unit was not written down")
    page.get_by_role("button", name="Save").click()
    page.get_by_role("link", name="And how was that possible?").click()
    page.get_by_label("It became possible because").fill("There is no place for it")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".pm-ch .pm-ch")).to_contain_text("There is no place for it")
    page.get_by_role("link", name="Preview").first.click()
    expect(page.locator("#r-summary + .prose")).to_contain_text("Mine.")
