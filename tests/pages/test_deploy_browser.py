"""Shipping in a real browser: lines that come by themselves, one thumb, no script, the keyboard, and axe."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.conf import settings as django_settings
from django.utils import timezone
from playwright.sync_api import Page, expect

from hotfixdash.accounts.models import User
from releases import live
from releases.deploys.approving import break_glass
from releases.deploys.following import follow
from releases.deploys.models import Approval, FollowUp, Run, Step
from releases.projects.services.mirrors import mirror_folder
from tests.deploys.asking import Shop, make_shop
from tests.factories import make_lines, make_project, make_step, make_user
from tests.plugins.real import Broker, Pages, Site

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
SLACK = 25.0
"""Seconds allowed for what takes well under one: the machine that tests runs other tests beside this one."""


@pytest.fixture
def shop(broker: Broker, settings: Any) -> Shop:
    folder = Path(django_settings.DATA_DIR)
    shutil.rmtree(folder / "mirrors", ignore_errors=True)
    found = make_shop(folder, settings, approvals=2)
    assert mirror_folder(found.project).is_relative_to(folder)
    return found


@pytest.fixture
def manager(shop: Shop) -> User:
    return shop.person(username="morgan-m")


@pytest.fixture
def running(shop: Shop) -> Run:
    run = shop.request(state="running", started_at=timezone.now())
    make_step(run, "unpack", state="done", started_at=timezone.now(), finished_at=timezone.now(), first_line=1)
    make_step(run, "switch", state="running", started_at=timezone.now(), first_line=3)
    make_lines(run, "unpacking", "unpacked")
    return run


def opened(open_page: Pages, site: Site, person: User, **options: Any) -> Page:
    page = open_page(site.url, person, **options)
    page.set_default_timeout(40_000)
    return page


def print_lines(run: Run, *lines: str) -> float:
    """As a worker does it; gives the moment."""
    make_lines(run, *lines, step=1, at=timezone.now())
    live.publish_now(live.run_topic(run.pk))
    return time.monotonic()


def url(run: Run, rest: str = "") -> str:
    return f"/projects/{run.project.slug}/deploys/{run.pk}/{rest}"


def test_new_lines_appear_by_themselves(open_page: Pages, site: Site, manager: User, running: Run) -> None:
    page = opened(open_page, site, manager)
    with page.expect_response(lambda answer: "/events" in answer.url):
        page.goto(url(running))
    page.wait_for_timeout(500)
    printed = print_lines(running, "\x1b[32mswitched\x1b[0m", "<b>done</b>")
    expect(page.locator("#L4 .m")).to_have_text("<b>done</b>", timeout=SLACK * 1000)
    assert time.monotonic() - printed < SLACK
    expect(page.locator("#L3 .lc-g")).to_have_text("switched")
    expect(page.locator(".log-h").last).to_have_text("switch")
    assert page.locator("ol.log").get_attribute("aria-live") == "off"


def test_the_end_is_followed_only_while_somebody_looks_at_it(
    open_page: Pages, site: Site, manager: User, running: Run
) -> None:
    make_lines(running, *(f"line {number}" for number in range(3, 300)), step=1)
    page = opened(open_page, site, manager)
    with page.expect_response(lambda answer: "/events" in answer.url):
        page.goto(url(running))
    log = page.locator("ol.log")
    from_end = "(el) => el.scrollHeight - el.scrollTop - el.clientHeight"
    page.wait_for_timeout(500)
    assert log.evaluate(from_end) < 40
    print_lines(running, *(f"more {number}" for number in range(50)))
    expect(page.locator("#L349")).to_be_attached(timeout=SLACK * 1000)
    assert log.evaluate(from_end) < 40, "it was at its end, so it follows"
    log.evaluate("(el) => { el.scrollTop = 100; }")
    expect(page.get_by_role("button", name="Follow the end")).to_be_visible()
    print_lines(running, *(f"even more {number}" for number in range(50)))
    expect(page.locator("#L399")).to_be_attached(timeout=SLACK * 1000)
    assert log.evaluate("(el) => el.scrollTop") == 100, "somebody reads further up, so it stays"
    page.get_by_role("button", name="Follow the end").click()
    assert log.evaluate(from_end) < 40


def test_a_part_that_is_swapped_leaves_the_log_alone(open_page: Pages, site: Site, manager: User, running: Run) -> None:
    page = opened(open_page, site, manager)
    with page.expect_response(lambda answer: "/events" in answer.url):
        page.goto(url(running))
    page.wait_for_timeout(500)
    Step.objects.filter(run=running, name="switch").update(state="failed", ended="exited", exit_code=2)
    Run.objects.filter(pk=running.pk).update(state="failed", error_text="“switch” ended with exit status 2.")
    live.publish_now(live.project_topic(running.project_id))
    expect(page.get_by_text("It failed at “switch”")).to_be_visible(timeout=SLACK * 1000)
    expect(page.locator("#L2 .m")).to_have_text("unpacked")
    expect(page.get_by_role("link", name="Try again from “switch”")).to_be_visible()


def test_an_address_leads_to_its_line(open_page: Pages, site: Site, manager: User, running: Run) -> None:
    make_lines(running, *(f"line {number}" for number in range(3, 3001)), step=1)
    page = opened(open_page, site, manager)
    page.goto(url(running, "#L700"))
    expect(page.locator("#L700")).to_be_in_viewport()
    expect(page.locator("#L700")).to_have_class("is-at")
    page.get_by_role("searchbox", name="Words, or :404 for a line").fill("line 2345")
    page.keyboard.press("Enter")
    page.get_by_role("link", name="Line 2345", exact=True).click()
    expect(page.locator("#L2345 .m")).to_have_text("line 2345")
    expect(page.locator("#L2345")).to_be_in_viewport()


def test_the_bell_of_a_page_about_another_project_counts_at_once(
    open_page: Pages, site: Site, shop: Shop, manager: User
) -> None:
    other = make_project("other", visibility="signed-in")
    page = opened(open_page, site, manager)
    with page.expect_response(lambda answer: "/events" in answer.url):
        page.goto(f"/projects/{other.slug}/releases/")
    page.wait_for_timeout(500)
    follow(shop.request())
    expect(page.get_by_role("link", name="1 thing waits for you")).to_be_visible(timeout=SLACK * 1000)
    boss = make_user("boss", "administrator", all_projects=True)
    break_glass(Run.objects.get(state="asked"), boss, "Payments are down for everybody.")
    expect(page.get_by_text("boss broke the glass")).to_be_visible(timeout=SLACK * 1000)


def test_one_thumb_approves_on_a_phone(open_page: Pages, site: Site, shop: Shop, manager: User) -> None:
    run = shop.request()
    page = opened(open_page, site, manager, width=390, height=844)
    page.goto(url(run, "approval/"))
    bar = page.get_by_role("complementary", name="Decide")
    expect(bar).to_be_in_viewport()
    for name in ("Approve", "Reject"):
        box = bar.get_by_role("link", name=name).bounding_box()
        assert box is not None
        assert box["height"] >= 44
        assert box["y"] > 700, "within reach of a thumb"
    bar.get_by_role("link", name="Approve").click()
    button = page.get_by_role("dialog").get_by_role("button", name="Approve")
    expect(button).to_be_visible()
    page.wait_for_timeout(200)
    box = button.bounding_box()
    assert box is not None
    assert box["y"] > 422, "the question comes up from below"
    button.click()
    expect(page.get_by_text("You approved v1.0.1", exact=False)).to_be_visible()
    expect(bar).to_be_hidden()
    assert Approval.objects.get().person == manager


def test_everything_works_without_script(open_page: Pages, site: Site, shop: Shop, manager: User) -> None:
    run = shop.request()
    open_page.expected.append("422")
    page = opened(open_page, site, manager, script=False)
    page.goto(url(run, "approval/"))
    page.get_by_role("button", name="Reject").click()
    expect(page.get_by_text("Say why")).to_be_visible()
    page.get_by_label("Comment").fill("Checked.")
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_text("1 approval more", exact=False).first).to_be_visible()
    page.get_by_role("link", name="Take my approval back").click()
    page.get_by_role("button", name="Take it back").click()
    assert Approval.objects.get().withdrawn_at is not None
    paused = shop.request(state="paused")
    make_step(paused, "try it", "manual", state="waiting", started_at=timezone.now())
    make_lines(paused, "one", "two")
    page.goto(url(paused))
    expect(page.locator("#L2 .m")).to_have_text("two")
    page.get_by_label("What was tested").fill("Paid 1 EUR.")
    page.get_by_role("button", name="Confirm and go on").click()
    expect(page.get_by_text("Confirmed. It goes on.")).to_be_visible()


def test_the_keyboard_is_enough(open_page: Pages, site: Site, shop: Shop, manager: User) -> None:
    run = shop.request()
    page = opened(open_page, site, manager)
    page.goto(url(run, "approval/"))
    page.get_by_label("Comment").focus()
    page.keyboard.type("Looks right.")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent.trim()") == "Approve"
    page.keyboard.press("Enter")
    expect(page.get_by_text("You approved v1.0.1", exact=False)).to_be_visible()
    page.get_by_role("link", name="Take my approval back").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    assert page.evaluate("document.activeElement.id") == "do-withdraw"


@pytest.mark.long
@pytest.mark.parametrize(("theme", "width"), [("light", 1440), ("dark", 390)])
def test_axe_finds_nothing(open_page: Pages, site: Site, shop: Shop, manager: User, theme: str, width: int) -> None:
    asked = shop.request()
    boss = make_user("boss", "administrator", all_projects=True)
    failed = shop.request("v1.0.0", state="failed", error_text="No.", started_at=timezone.now(), glass_by=boss)
    FollowUp.objects.create(run=failed)
    make_step(failed, "switch", state="failed", exit_code=2, ended="exited", first_line=1)
    colours = (f"\x1b[{code}mcolour {code}\x1b[0m" for code in [2, *range(30, 38), *range(41, 48), 90])
    make_lines(failed, *colours)
    slug = shop.project.slug
    page = opened(open_page, site, manager, theme=theme, width=width)
    for path in (
        "/deploys/", f"/projects/{slug}/deploys/", url(failed), url(asked), url(asked, "approval/"), "/waiting/",
        f"/projects/{slug}/deploys/history/", f"/projects/{slug}/deploys/compare/?a={failed.pk}&b={asked.pk}",
        f"/projects/{slug}/releases/v1.0.1/", f"/projects/{slug}/environments/production/lock/",
        url(asked, "reject/"),
    ):  # fmt: skip
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, f"{path} scrolls sideways"
        found = Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]})
        assert found.violations_count == 0, f"{path}\n{found.generate_report()}"
