"""Without script, by keyboard alone, and for everybody: the same pages, the same answers."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from .conftest import Dashboard, Visit

pytestmark = [pytest.mark.browser, pytest.mark.broker]

PROJECT = "/projects/checkout-api/"
PAGES = (
    "/",
    PROJECT,
    "/merge-back/",
    f"{PROJECT}merge-back/",
    f"{PROJECT}merge-back/?show=chores",
    f"{PROJECT}merge-back/?q=nothing-like-this",
    "/releases/",
    f"{PROJECT}releases/",
    f"{PROJECT}releases/v1.2.2/",
    f"{PROJECT}compare/?from=v1.2.1&to=v1.2.3",
    "/deploys/",
    f"{PROJECT}deploys/",
    f"{PROJECT}deploys/history/",
    f"{PROJECT}deploys/compare/",
    "/waiting/",
    "/projects/",
    "/projects/add/",
    f"{PROJECT}settings/",
    f"{PROJECT}settings/shipping/",
    f"{PROJECT}settings/shipping/pipeline/",
    f"{PROJECT}settings/shipping/file/",
    f"{PROJECT}health/",
    "/hotfixes/",
    "/hotfixes/?show=done&severity=1",
    "/hotfixes/new/",
    f"{PROJECT}hotfixes/TICKET-1234/",
    f"{PROJECT}hotfix/timeline/TICKET-1234/",
    f"{PROJECT}hotfix/close/TICKET-1234/",
    f"{PROJECT}hotfix/merge-back-all/TICKET-1234/",
    "/projects/ledger/hotfixes/TICKET-1241/",
    "/projects/ledger/hotfix/review/TICKET-1241/",
    "/projects/ledger/hotfixes/TICKET-1219/",
    "/projects/invoice-web/hotfixes/TICKET-1247/",
    "/projects/mobile-bff/hotfixes/TICKET-1244/",
    "/projects/identity/hotfixes/TICKET-1239/",
    "/incidents/",
    "/incidents/?show=over",
    "/incidents/INC-1/",
    "/incidents/INC-2/",
    "/incidents/new/",
    f"{PROJECT}incidents/",
    f"{PROJECT}incidents/new/",
    "/status/demo/",
    "/status-pages/",
    "/announcements/",
    "/incident-settings/page/",
    "/incident-settings/words/",
    "/incident-settings/channel/",
    "/incident-settings/component/checkout-api/",
    "/incident-settings/planned/checkout-api/",
    "/postmortems/",
    "/postmortems/?show=overdue&q=nothing-like-this",
    "/postmortems/PM-1/",
    "/postmortems/actions/",
    "/postmortems/words/",
    f"{PROJECT}postmortems/",
    f"{PROJECT}postmortems/new/",
    "/drills/",
    f"{PROJECT}drills/",
    f"{PROJECT}drills/new/",
    f"{PROJECT}drills/interval/",
    "/search/?q=TICKET-1207",
    "/search/?q=nothing-like-this",
    "/accounts/",
    "/accounts/login/",
    "/no-such-page/",
)
REFUSED = {"/no-such-page/": 404}
# In each way to look at pages every run looks at half of them; the long tests look at the others.
EVEN, ODD = PAGES[::2], PAGES[1::2]
HALVES = pytest.mark.parametrize(
    "paths", [pytest.param(EVEN, id="some"), pytest.param(ODD, id="others", marks=pytest.mark.long)]
)


def evidence_pages(page: Page) -> list[str]:
    """A fix, and its evidence beside the matrix and on its own page: their addresses hold object ids."""
    page.goto(f"{PROJECT}merge-back/")
    cell = page.locator("a.mx-c", has_text="Partial").first.get_attribute("href") or ""
    page.goto(cell)
    links = page.locator("#drawer footer a").evaluate_all("found => found.map(link => link.getAttribute('href'))")
    return [cell, *links]


@pytest.mark.parametrize(
    ("width", "theme", "paths"),
    [
        pytest.param(1440, "light", EVEN, id="1440-light"),
        pytest.param(390, "dark", ODD, id="390-dark"),
        pytest.param(1440, "light", ODD, id="1440-light-others", marks=pytest.mark.long),
        pytest.param(390, "dark", EVEN, id="390-dark-others", marks=pytest.mark.long),
        pytest.param(1440, "dark", PAGES, id="1440-dark", marks=pytest.mark.long),
        pytest.param(390, "light", PAGES, id="390-light", marks=pytest.mark.long),
    ],
)
def test_axe_finds_nothing_serious(visit: Visit, theme: str, width: int, paths: Sequence[str]) -> None:
    visit.expect("404 (Not Found)")
    page = visit(who="admin", theme=theme, width=width)
    found = []
    for path in [*paths, *evidence_pages(page)]:
        answer = page.goto(path)
        assert answer is not None
        assert answer.status == REFUSED.get(path, 200), path
        for violation in Axe().run(page).response["violations"]:
            if violation["impact"] in ("serious", "critical"):
                nodes = "; ".join(node["html"][:120] for node in violation["nodes"][:3])
                found.append(f"{path} {violation['id']}: {nodes}")
        assert not overflows(page), f"{path} scrolls sideways at {width}"
    assert not found, "\n".join(found)


@HALVES
def test_nothing_scrolls_sideways_on_the_smallest_screen(visit: Visit, paths: Sequence[str]) -> None:
    visit.expect("404 (Not Found)")
    page = visit(who="admin", width=320)
    wide = [path for path in [*paths, *evidence_pages(page)] if page.goto(path) and overflows(page)]
    assert not wide


# What takes part in a page: everything to act on that can be seen, and what the keyboard has met of it so far.
WATCH = """() => {
  window.met = new Map();
  window.places = new Set();
  const form = one => one.form ? one.form.getAttribute('action') : one.textContent.trim();
  const choice = one => one.tagName === 'BUTTON' || one.type === 'radio' ? one.value : '';
  window.place = one => one.href || [one.tagName, one.id, one.name, choice(one), form(one)].join(' ');
  document.addEventListener('focusin', event => {
    const ring = one => getComputedStyle(one).outlineStyle !== 'none';
    window.met.set(event.target, ring(event.target) || ring(event.target.parentElement));
    window.places.add(window.place(event.target));
  });
  const acts = 'a[href], button, input:not([type=hidden]), select, textarea, summary';
  // Of radio buttons of one name Tab meets one; the arrow keys go on from there.
  const group = one => [...one.form.elements].filter(other => other.type === 'radio' && other.name === one.name);
  const leads = one => one === (group(one).find(other => other.checked) || group(one)[0]);
  window.stops = () => [...document.querySelectorAll(acts)].filter(one => !one.disabled && one.tabIndex >= 0
    && one.checkVisibility({visibilityProperty: true}) && (one.type !== 'radio' || leads(one)));
  window.first = new Set(window.stops());
}"""
# A live part may put in what was there before: that counts as met where the former one was.
MISSED = """() => {
  const told = one => one.outerHTML.slice(0, 120);
  const met = one => window.met.has(one) || !window.first.has(one) && window.places.has(window.place(one));
  const missed = window.stops().filter(one => !met(one)).map(one => 'is not reached: ' + told(one));
  const hidden = [...window.met].filter(([one, ring]) => !ring).map(([one]) => 'shows no focus: ' + told(one));
  return [...missed, ...hidden];
}"""


@HALVES
def test_tab_reaches_everything_on_a_page_and_shows_where_it_is(visit: Visit, paths: Sequence[str]) -> None:
    visit.expect("404 (Not Found)")
    page = visit(who="admin", width=1440)
    found = []
    for path in [*paths, *evidence_pages(page)]:
        page.goto(path)
        page.evaluate("document.activeElement.blur()")
        page.evaluate(WATCH)
        found += [f"{path} {one}" for one in missed_by_tab(page)]
    assert not found, "\n".join(found[:20])


def missed_by_tab(page: Page) -> list[str]:
    """What Tab does not meet; once more around where live parts moved things in the meantime."""
    missed: list[str] = []
    for _ in range(3):
        # Regions that scroll and the parts of a date are stops too.
        for _ in range(page.evaluate("window.stops().length") + 40):
            page.keyboard.press("Tab")
        missed = page.evaluate(MISSED)
        if not missed:
            break
    return missed


def overflows(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth + 1"))


def test_everything_is_there_without_script(visit: Visit) -> None:
    page = visit(script=False)
    expect(page.locator("h1").first).to_contain_text("missing from develop")
    page.get_by_role("link", name="Open merge-back matrix").click()
    page.goto(f"{PROJECT}merge-back/")
    page.locator("a.mx-c", has_text="Partial").first.click()
    expect(page.locator("main")).to_contain_text("Use line totals in the refund path")
    page.goto(f"{PROJECT}merge-back/?q=TICKET-1234")
    expect(page.locator("main")).to_contain_text("Send 3-D Secure timeout in milliseconds")
    expect(page.locator("main")).not_to_contain_text("Round VAT per line")
    page.goto(f"{PROJECT}releases/v1.2.2/")
    expect(page.locator("main")).to_contain_text("TICKET-1207")


def test_check_now_works_without_script(visit: Visit) -> None:
    page = visit(PROJECT, script=False)
    page.get_by_role("button", name="Check now").first.click()
    expect(page.locator("h1").first).to_contain_text("missing from develop")


def focused(page: Page) -> str:
    return str(page.evaluate("document.activeElement ? document.activeElement.textContent.trim() : ''"))


def tab_to(page: Page, words: str, limit: int = 80) -> None:
    """Press Tab until the element with these words has the focus."""
    for _ in range(limit):
        page.keyboard.press("Tab")
        # A scrolling region that takes the focus holds everybody's words; an element to act on holds few.
        if words in focused(page) and len(focused(page)) < 200:
            return
    pytest.fail(f"{words!r} cannot be reached by keyboard")


def test_keyboard_alone_leads_from_sign_in_to_the_evidence(dashboard: Dashboard, visit: Visit, open_page) -> None:  # type: ignore[no-untyped-def]
    page = open_page(dashboard.url)
    page.goto("/accounts/login/")
    page.keyboard.type("manager")
    page.keyboard.press("Tab")
    page.keyboard.type("manager-demo")
    page.keyboard.press("Enter")
    expect(page.locator("h1").first).to_contain_text("missing from develop")
    tab_to(page, "Round VAT per line, not per total")
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_contain_text("Use line totals in the refund path")


def test_the_focus_is_seen_and_returns_to_its_cell(visit: Visit) -> None:
    page = visit(f"{PROJECT}merge-back/", width=1440)
    tab_to(page, "Partial", 120)
    ring = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert ring != "none"
    page.keyboard.press("Enter")
    expect(page.locator("#drawer h2")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("#drawer")).to_be_hidden()
    assert "Partial" in focused(page)


def test_the_search_key_leads_to_the_search_field(visit: Visit) -> None:
    page = visit()
    page.keyboard.press("/")
    page.keyboard.type("TICKET-1207")
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_contain_text("Round VAT per line, not per total")
