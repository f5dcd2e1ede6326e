"""A hotfix tag in the demo becomes a running application: by the pages, with a second person's yes, and back again."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from .conftest import Dashboard, Visit
from .moves import PATIENCE, demo_is_out, git, until

pytestmark = [pytest.mark.browser, pytest.mark.broker]
PROJECT, BEFORE, TAG = "checkout-api", "v1.2.3", "v1.2.4"
FIX = {
    "checkout/tips.py": 'def tip(cents, percent):\n    """Rounded to whole cents, half up."""\n'
    "    return (cents * percent + 50) // 100\n",
    "tests/test_tips.py": "import unittest\n\nfrom checkout.tips import tip\n\n\nclass Tips(unittest.TestCase):\n"
    "    def test_half_a_cent_is_rounded_up(self):\n        self.assertEqual(tip(150, 15), 23)\n",
}


def health(url: str) -> dict[str, str]:
    """What the application itself says it is; empty while it starts anew."""
    try:
        with urllib.request.urlopen(f"{url}healthz", timeout=5) as answer:
            told: dict[str, str] = json.loads(answer.read())
            return told
    except (urllib.error.URLError, OSError, ValueError):
        return {}


@pytest.fixture(scope="module")
def dashboard(shipping_dashboard: Dashboard) -> Dashboard:
    return shipping_dashboard


@pytest.fixture
def shipped(dashboard: Dashboard) -> Dashboard:
    """The demo's own first releases are out."""
    demo_is_out(dashboard)
    return dashboard


def push_hotfix(dashboard: Dashboard, folder: Path) -> str:
    """Cut, mended with a test, merged to main and tagged, as somebody does by hand; gives the tagged commit."""
    clone = folder / "work"
    git("clone", "-q", str(dashboard.remote(PROJECT)), str(clone), cwd=folder)
    git("switch", "-q", "-c", "hotfix/TICKET-4711", BEFORE, cwd=clone)
    for name, text in FIX.items():
        (clone / name).write_text(text)
    git("add", ".", cwd=clone)
    git("commit", "-qm", "[HOTFIX] TICKET-4711: Round tips half up", cwd=clone)
    git("switch", "-q", "main", cwd=clone)
    git("merge", "-q", "--no-ff", "-m", "Merge branch 'hotfix/TICKET-4711'", "hotfix/TICKET-4711", cwd=clone)
    git("tag", "-a", "-m", "checkout-api 1.2.4", TAG, cwd=clone)
    git("push", "-q", "origin", "main", "hotfix/TICKET-4711", TAG, cwd=clone)
    assert dashboard.hook(PROJECT, dashboard.hook_secret(PROJECT)) == 202
    return git("rev-parse", "HEAD", cwd=clone)


def cell(page: Page, environment: str) -> str:
    """What the board of the project says of one environment."""
    return page.locator(".bd-c", has=page.locator("h2, h3", has_text=environment)).last.inner_text()


def address_of(page: Page, environment: str) -> str:
    found = page.locator(".bd-c", has=page.locator("h2, h3", has_text=environment)).last
    return found.get_by_role("link", name="Open it", include_hidden=True).get_attribute("href") or ""


@pytest.mark.timeout(1200)
def test_from_a_tag_to_production_and_back(shipped: Dashboard, visit: Visit, tmp_path: Path) -> None:
    board = visit(f"/projects/{PROJECT}/deploys/", who="manager", width=1440)
    url = address_of(board, "production")
    assert url.startswith("http://127.0.0.1:")
    until(lambda: health(url).get("version") == BEFORE.removeprefix("v"), "production does not run the release before")
    commit = push_hotfix(shipped, tmp_path)

    # Checks and build: the run appears by itself, its steps and its log can be followed.
    link = board.get_by_role("link", name=f"Build {TAG}").first
    expect(link).to_be_visible(timeout=PATIENCE * 1000)
    link.click()
    expect(board.locator(".jobs")).to_contain_text("Critical tests")
    expect(board.locator(".jobs")).to_contain_text("Regression test")
    expect(board.locator("ol.log")).to_contain_text("OK", timeout=PATIENCE * 1000)
    expect(board.locator(".meta .st--ok")).to_contain_text("Done", timeout=PATIENCE * 1000)
    assert board.locator(".job, .jobs a").count() == board.locator(".jobs .st--ok").count()

    # Hotfix staging, then somebody is asked; the staging for regular releases is passed by.
    bell = board.get_by_role("link", name="1 thing waits for you")
    expect(bell).to_be_visible(timeout=PATIENCE * 1000)
    bell.click()
    board.locator("li", has_text=TAG).get_by_role("link", name="Review and decide").click()
    expect(board.get_by_role("heading", level=1)).to_have_text(f"Ship {PROJECT} {TAG} to production?")
    for part in (
        f"{BEFORE}..{TAG}",
        "TICKET-4711",
        "checkout/tips.py",
        "Hotfix-staging ran exactly this",
        "Regression test",
    ):
        expect(board.locator("main")).to_contain_text(part)
    assert health(url)["version"] == BEFORE.removeprefix("v"), "nothing ships before somebody said yes"

    # A second person's yes.
    board.get_by_label("Comment").fill("Tried a tip of 15 % by hand.")
    board.get_by_role("button", name="Approve and deploy").click()
    board.get_by_role("link", name="Follow the deployment").click()
    expect(board.locator("ol.log")).to_contain_text(f"current leads to slots/{TAG}", timeout=PATIENCE * 1000)
    expect(board.locator(".meta .st--ok")).to_contain_text("Done", timeout=PATIENCE * 1000)
    expect(board.locator("dl.kv")).to_contain_text("Verified")
    told = health(url)
    assert (told["version"], told["revision"]) == (TAG.removeprefix("v"), commit)
    board.goto(f"/projects/{PROJECT}/deploys/")
    assert TAG in cell(board, "production")
    assert "Healthy" in cell(board, "production")
    assert TAG not in board.locator(".bd-c", has=board.locator("h2, h3", has_text="staging")).nth(1).inner_text()

    # And back, with one press and a reason.
    board.get_by_label("production of checkout-api: actions").click()
    board.get_by_role("link", name="Roll back…").click()
    board.get_by_label("Why").fill("Tips are rounded twice.")
    board.get_by_role("button", name="Roll back").click()
    until(lambda: health(url).get("version") == BEFORE.removeprefix("v"), "the release before did not come back")
    board.goto(f"/projects/{PROJECT}/releases/{TAG}/")
    expect(board.locator("main")).to_contain_text("Tips are rounded twice.")
    expect(board.locator("main")).to_contain_text("It ships again only with a reason.")
