"""One story from end to end: an incident, its hotfix, what stakeholders see meanwhile, and what is learned from it."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from .conftest import Dashboard, Visit
from .moves import PATIENCE, answer, demo_is_out, git, reaches, review_and_finish

pytestmark = [pytest.mark.browser, pytest.mark.broker]
PROJECT, KEY, TAG, STATUS = "ledger", "TICKET-4801", "v3.8.4", "payouts"
SOON = PATIENCE * 1000
TITLE = "Payouts arrive in the wrong currency"
FIX = {
    "ledger/currency.py": 'def kept(amount, currency="EUR"):\n    """An amount with the currency it came with."""\n'
    "    return {'amount': amount, 'currency': currency}\n",
    "tests/test_currency.py": "import unittest\n\nfrom ledger.currency import kept\n\n\n"
    "class Currency(unittest.TestCase):\n    def test_it_stays(self):\n"
    "        self.assertEqual(kept(5, 'CHF')['currency'], 'CHF')\n",
}
PARTS = {
    "summary": "For an hour some payouts went out in euros although they were asked for in francs.",
    "factors": "A default stood in for a value that was always thought to be there.",
    "occur": "We assumed that every payout brings its currency along.",
    "caught": "The tests cover one currency only.",
    "change": "The type of an amount carries its currency from now on.",
    "sense": "On the screen stood the right amount, and nobody had reason to look at the unit.",
}


@pytest.fixture(scope="module")
def dashboard(shipping_dashboard: Dashboard) -> Dashboard:
    return shipping_dashboard


class Clone:
    """Somebody's work tree of the demo's repository, who tells the dashboard of each push as a forge does."""

    def __init__(self, dashboard: Dashboard, folder: Path) -> None:
        self.dashboard, self.at = dashboard, folder / "work"
        self.secret = dashboard.hook_secret(PROJECT)
        git("clone", "-q", str(dashboard.remote(PROJECT)), str(self.at), cwd=folder)

    def commit(self, branch: str, files: dict[str, str], message: str) -> str:
        git("fetch", "-q", "origin", cwd=self.at)
        git("switch", "-q", "-C", branch, f"origin/{branch}", cwd=self.at)
        for name, text in files.items():
            (self.at / name).write_text(text)
        git("add", ".", cwd=self.at)
        git("commit", "-qm", message, cwd=self.at)
        return self.push(branch)

    def revert(self, branch: str, commit: str) -> str:
        git("revert", "--no-edit", commit, cwd=self.at)
        return self.push(branch)

    def push(self, branch: str) -> str:
        git("push", "-q", "origin", branch, cwd=self.at)
        assert self.dashboard.hook(PROJECT, self.secret) == 202
        return git("rev-parse", "HEAD", cwd=self.at)


def looked_again(page: Page, said: str, what: Callable[[], bool]) -> None:
    """For pages that need not follow by themselves."""
    deadline = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < deadline, said
        page.wait_for_timeout(1000)
        page.reload()


def sent(page: Page) -> None:
    """Answer the question whose page this is, and be led on."""
    asked = page.url
    answer(page)
    page.wait_for_url(lambda url: url != asked)


def set_up_status_page(admin: Page) -> None:
    admin.goto(f"/incident-settings/component/{PROJECT}/")
    admin.get_by_label("Name", exact=True).fill("Payouts")
    admin.get_by_role("button", name="Save").click()
    admin.goto("/incident-settings/page/")
    admin.get_by_label("Title", exact=True).fill("Payouts and postings")
    admin.get_by_label("Address", exact=True).fill(STATUS)
    admin.get_by_label("Who sees it").select_option("public")
    admin.get_by_label(PROJECT, exact=True).check()
    admin.get_by_label("Payouts", exact=True).check()
    admin.get_by_role("button", name="Save").click()
    expect(admin.locator("main")).to_contain_text("Payouts and postings")


def declare(page: Page) -> str:
    """Its address."""
    page.goto(f"/projects/{PROJECT}/incidents/new/")
    page.get_by_label("What is wrong, as users see it").fill(TITLE)
    page.get_by_label("First public word").fill("Some payouts arrive in the wrong currency. We are looking into it.")
    page.locator("summary", has_text="Who is hurt").click()
    page.get_by_label("Payouts", exact=True).select_option("2")
    page.get_by_role("button", name="Declare").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(TITLE)
    return page.url


def open_fix(page: Page) -> None:
    """From the incident with one press, and triaged."""
    page.get_by_role("link", name="Open a hotfix").first.click()
    page.get_by_label("Ticket", exact=True).fill(KEY)
    expect(page.get_by_label("What is wrong, or what fixes it")).to_have_value(TITLE)
    page.get_by_role("button", name="Open it").click()
    page.goto(f"/projects/{PROJECT}/hotfixes/{KEY}/")
    for question in ("critical", "production", "no_workaround"):
        page.locator(f"input[name=t-{question}][value=yes]").check()
        page.locator(f"input[name=t-{question}_why]").fill("Money goes to the wrong place.")
    page.get_by_role("button", name="Answer").click()
    reaches(page, "Triage")


def make_fix(page: Page, second: Page, clone: Clone) -> None:
    """Cut, mended in git, reviewed by somebody else, finished with a tag."""
    page.locator("#act-primary", has_text="Choose the way out").click()
    page.get_by_label("Reason").fill("Only this may ship today.")
    answer(page)
    page.locator("#act-primary", has_text="Cut the branch").click()
    answer(page)
    reaches(page, "Branch")
    clone.commit(f"hotfix/{KEY}", FIX, f"[HOTFIX] {KEY}: Keep the currency of a payout")
    reaches(page, "Fix")
    review_and_finish(page, second, TAG)


def ship(approver: Page) -> None:
    """The approval of somebody who neither wrote nor asked for it; then production has it, verified."""
    link = approver.locator("li", has_text=f"{PROJECT} {TAG}").get_by_role("link", name="Review and decide")
    approver.goto("/waiting/")
    looked_again(approver, "nobody was asked to approve it", lambda: link.count() > 0)
    link.first.click()
    expect(approver.locator("main")).to_contain_text(KEY)
    approver.get_by_label("Comment").fill("Paid out five francs by hand.")
    approver.get_by_role("button", name="Approve and deploy").click()


def learn(page: Page, second: Page, incident: str) -> str:
    """The document that opened itself, written, reviewed by somebody else and published; its action's trailer."""
    page.goto(incident)
    learned = page.locator("section", has=page.get_by_role("heading", name="What is learned")).get_by_role("link")
    looked_again(page, "no post-mortem was opened", lambda: learned.count() > 0)
    learned.first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(TITLE)
    document = page.url
    for said in ("was declared", "branch cut", "reviewed", "approved", f"live in production ({TAG})", "merged back"):
        expect(page.locator("#s-timeline")).to_contain_text(said)
    for part, text in PARTS.items():
        field = page.locator(f"#t-{part}")
        if field.count():
            field.fill(text)
            expect(page.locator(f"#after-{part} [data-saved]")).to_contain_text("Saved")
    for _number in range(2):
        page.goto(f"{document}factor/")
        page.locator("form.ask textarea, form.ask input[type=text]").first.fill("A default stood in for a value.")
        sent(page)
    page.goto(f"{document}action/")
    page.locator("form.ask [name=title]").fill("Amounts carry their currency")
    page.locator("form.ask [name=owner]").select_option(label="manager")
    page.locator("form.ask [name=due_on]").fill(f"{date.today() + timedelta(days=7)}")
    sent(page)
    trailer = page.locator("#s-actions").get_by_text(re.compile(r"Action: PM-\d+-\d+")).first.inner_text().strip()
    page.goto(f"{document}ask/")
    sent(page)
    second.goto(f"{document}review/")
    second.locator("form.ask input[value=ready]").check()
    for box in second.locator("form.ask input[name=checks]").all():
        box.check()
    sent(second)
    page.goto(f"{document}publish/")
    sent(page)
    expect(page.locator("main")).to_contain_text("Amounts carry their currency")
    return re.search(r"Action: PM-\d+-\d+", trailer)[0]  # type: ignore[index]


@pytest.mark.long
@pytest.mark.timeout(1500)
def test_from_the_incident_to_what_was_learned(dashboard: Dashboard, visit: Visit, tmp_path: Path) -> None:
    demo_is_out(dashboard)
    admin, page = visit(who="admin", width=1440), visit(who="manager", width=1440)
    set_up_status_page(admin)
    clone = Clone(dashboard, tmp_path)

    # Declared: the page that is open in another browser says so by itself.
    watcher = visit.stranger(f"/status/{STATUS}/")
    expect(watcher.locator("main")).to_contain_text("Everything is working")
    incident = declare(page)
    expect(watcher.locator("main")).to_contain_text("We are looking into it.", timeout=SOON)

    # Fixed and shipped, followed there in plain words.
    open_fix(page)
    make_fix(page, admin, clone)
    steps = watcher.get_by_label("Progress of the fix")
    expect(steps).to_contain_text("tested", ignore_case=True, timeout=SOON)
    ship(admin)
    reaches(page, "Production")
    expect(steps.locator(".is-done", has_text="Deployed to production")).to_have_count(1, timeout=SOON)
    expect(steps.locator(".is-done", has_text="erified")).to_have_count(1, timeout=SOON)
    for internal in (KEY, "hotfix/", "manager", "admin", "ledger/currency.py"):
        assert internal not in watcher.content()

    # Merged back, resolved.
    reaches(page, "Merge-back", "is-owed")
    page.get_by_role("link", name=re.compile("^Merge back into all")).first.click()
    answer(page)
    reaches(page, "Merge-back")
    resolve(page, incident)
    expect(watcher.locator("main")).to_contain_text("Payouts keep their currency again.", timeout=SOON)
    expect(watcher.locator("main")).to_contain_text("Everything is working", timeout=SOON)

    # Learned; and the action is closed by the commit that carries it out, and opened again by its revert.
    trailer = learn(page, admin, incident)
    done = clone.commit(
        "main", {"ledger/units.py": "UNITS = ('EUR', 'CHF')\n"}, f"Amounts carry their unit\n\n{trailer}"
    )
    row = page.locator("tr, li", has_text="Amounts carry their currency")
    page.goto("/postmortems/actions/?show=closed")
    looked_again(page, "the commit did not close the action", lambda: row.filter(has_text=done[:7]).count() > 0)
    clone.revert("main", done)
    page.goto("/postmortems/actions/?show=open")
    looked_again(page, "the revert did not open it again", lambda: row.count() > 0)


def resolve(page: Page, incident: str) -> None:
    page.goto(f"{incident}say/")
    page.get_by_label("State").select_option("resolved")
    page.locator("form.ask textarea").first.fill("Payouts keep their currency again.")
    sent(page)
    expect(page.locator("main")).to_contain_text("Resolved")
