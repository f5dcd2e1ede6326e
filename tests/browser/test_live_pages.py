"""Open pages follow what happens, without losing what the person is doing; and say so when they cannot."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from releases import live
from releases.evidence.verdicts import Code
from releases.projects.models import Project
from tests.factories import make_fix, make_project, make_target, make_user, make_verdict
from tests.plugins.real import Broker, Pages, Site

pytestmark = [pytest.mark.browser, pytest.mark.broker]
Open = Callable[..., Page]
PROMPT = 25_000.0
"""Milliseconds: below the half minute after which a page without the stream asks. bench/push_to_visible.py measures."""


@pytest.fixture
def shop(broker: Broker, site: Site) -> Project:
    now = timezone.now()
    project = make_project("shop", fetched_at=now, judged_at=now)
    make_target(project)
    owe(project, "Round VAT per line")
    return project


@pytest.fixture
def opened(site: Site, shop: Project, open_page: Pages) -> Open:
    user = make_user("mara", "release-manager", all_projects=True)

    def at(path: str, **options: Any) -> Page:
        page = open_page(site.url, user, **options)
        page.goto(path)
        return page

    return at


def owe(project: Project, subject: str, code: Code = Code.MISSING) -> None:
    since = timezone.now() - timedelta(hours=5)
    make_verdict(make_fix(project, subject, live_since=since), project.targets.get(), code)


def push(project: Project, subject: str) -> None:
    """As the worker does: rows first, then the news."""
    owe(project, subject)
    Project.objects.filter(pk=project.pk).update(judged_at=timezone.now())
    live.publish_now(live.project_topic(project.pk), live.OVERVIEW)


@pytest.mark.parametrize("path", ["/", "/projects/shop/", "/projects/"])
def test_a_push_shows_in_an_open_page_by_itself(opened: Open, shop: Project, path: str) -> None:
    page = opened(path)
    expect(page.locator("main")).to_contain_text("shop")
    page.wait_for_timeout(700)
    push(shop, "Cap webhook retries")
    if path == "/projects/":
        expect(page.locator("main .count--owed")).to_have_text("2", timeout=PROMPT)
    else:
        expect(page.locator("h1")).to_contain_text("2 fixes live in production", timeout=PROMPT)
        expect(page.locator("#owed")).to_contain_text("Cap webhook retries")


def test_following_loses_neither_place_nor_focus_nor_what_is_open(opened: Open, shop: Project) -> None:
    for number in range(24):
        owe(shop, f"Repair {number}")
    page = opened("/projects/shop/", height=500)
    link = page.get_by_role("link", name="Repair 9", exact=True)
    link.scroll_into_view_if_needed()
    link.focus()
    before = page.evaluate("scrollY")
    assert before > 0
    push(shop, "Newest of all")
    expect(page.locator("h1")).to_contain_text("26 fixes", timeout=PROMPT)
    assert abs(page.evaluate("scrollY") - before) < 80
    assert page.evaluate("document.activeElement.textContent") == "Repair 9"


def test_when_the_stream_is_away_the_page_says_so_and_asks_by_itself(
    opened: Open, shop: Project, open_page: Pages
) -> None:
    open_page.expected += ["ERR_FAILED", "Failed to load resource"]
    page = opened("/search/")
    page.route("**/events?*", lambda route: route.abort())
    page.clock.install()
    page.goto("/projects/shop/")
    expect(page.get_by_text("Not live")).to_be_visible()
    push(shop, "Told by asking")
    page.clock.run_for(31_000)
    expect(page.locator("#owed")).to_contain_text("Told by asking")
    page.unroute("**/events?*")
    page.clock.run_for(60_000)
    expect(page.get_by_text("Not live")).to_be_hidden()


def test_a_page_that_misses_news_before_it_listens_catches_up(opened: Open, shop: Project) -> None:
    page = opened("/search/")
    held: list[Any] = []
    page.route("**/events?*", lambda route: held.append(route))
    page.goto("/projects/shop/")
    page.wait_for_timeout(300)
    push(shop, "While nobody listened")
    assert held
    held[0].continue_()
    expect(page.locator("#owed")).to_contain_text("While nobody listened", timeout=PROMPT)


def test_slash_leads_to_the_search_field_but_not_while_typing(opened: Open) -> None:
    page = opened("/")
    page.keyboard.press("/")
    expect(page.locator("#find")).to_be_focused()
    page.keyboard.type("a/b")
    expect(page.locator("#find")).to_have_value("a/b")
    page.locator("#find").fill("VAT")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("Search")
    expect(page.locator("main")).to_contain_text("Round VAT per line")


def test_menus_open_and_close_by_keyboard(opened: Open) -> None:
    page = opened("/")
    menu = page.locator("details.scope-menu")
    menu.locator("summary").focus()
    page.keyboard.press("Enter")
    expect(menu.get_by_role("link", name="shop")).to_be_visible()
    page.keyboard.press("Escape")
    expect(menu.get_by_role("link", name="shop")).to_be_hidden()
    expect(menu.locator("summary")).to_be_focused()
    menu.locator("summary").click()
    page.locator("h1").click()
    expect(menu.get_by_role("link", name="shop")).to_be_hidden()


@pytest.mark.parametrize("script", [True, False])
def test_the_theme_is_switched_and_stays(opened: Open, script: bool) -> None:
    page = opened("/projects/?page=1", script=script, theme="light")
    page.get_by_role("button", name="Use the dark theme").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    assert page.url.endswith("/projects/?page=1")
    page.goto("/")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    expect(page.get_by_role("button", name="Use the light theme")).to_be_visible()


@pytest.mark.parametrize("script", [True, False])
def test_check_now_is_answered_with_what_happens_next(opened: Open, shop: Project, script: bool) -> None:
    page = opened("/projects/shop/", script=script)
    page.get_by_role("button", name="Check now").click()
    expect(page.locator("#toasts")).to_contain_text("Checking shop against git")
    expect(page.locator(".answer-s")).to_contain_text("Waiting for a worker")
    assert shop.fetch_runs.count() == 1


def test_a_toast_can_be_closed(opened: Open) -> None:
    page = opened("/projects/shop/")
    page.get_by_role("button", name="Check now").click()
    page.get_by_role("button", name="Close").click()
    expect(page.locator(".toast")).to_have_count(0)


def test_on_a_phone_one_message_stands_at_a_time(opened: Open) -> None:
    page = opened("/projects/shop/", width=390, height=844)
    page.get_by_role("button", name="Check now").click()
    toast = page.locator(".toast")
    toast.wait_for()
    page.evaluate(
        """() => { const box = document.getElementById("toasts"), one = box.children[0];
        for (let n = 0; n < 3; n++) box.append(one.cloneNode(true)); }"""
    )
    assert [one.is_visible() for one in toast.all()] == [False, False, False, True]
    page.set_viewport_size({"width": 1280, "height": 900})
    assert all(one.is_visible() for one in toast.all())


def test_a_message_that_all_went_well_goes_away_by_itself(opened: Open) -> None:
    page = opened("/projects/shop/")
    page.get_by_role("button", name="Check now").click()
    expect(page.locator(".toast")).to_have_count(1)
    page.mouse.move(0, 0)
    expect(page.locator(".toast")).to_have_count(0, timeout=30_000)
