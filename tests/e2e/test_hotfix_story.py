"""A hotfix in a real browser, from triage to cleaned up: by buttons, by git alone, and without script."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.gitrepos import Repo, make_flow
from tests.hotfixes.playing import app

from .conftest import Dashboard, Visit
from .moves import answer, git, reaches

pytestmark = [pytest.mark.browser, pytest.mark.broker]

REASONS = ("Payments fail.", "Only the live shop.", "Support can do nothing.")


class Till:
    """A repository of its own that the running dashboard tracks, with a clone to work in."""

    def __init__(self, dashboard: Dashboard, folder: Path, name: str) -> None:
        self.dashboard, self.name = dashboard, name
        self.repo: Repo = make_flow(folder, f"{name}.git")
        self.repo.commit({"app.py": app()}, "The application", branch="main")
        self.repo.tag("v1.0.1", "main", message="1.0.1")
        self.repo.merge("main", "develop")
        self.repo.branch("release/1.1", "develop")
        dashboard.manage("project", "add", str(self.repo.path), "--name", name)
        self.secret = dashboard.hook_secret(name)
        git("clone", "-q", str(self.repo.path), f"{name}-work", cwd=folder)
        self.clone = folder / f"{name}-work"

    def push(self, *refs: str) -> None:
        """Push from the clone, and let the server tell of it as a forge does."""
        git("push", "-q", "origin", *refs, cwd=self.clone)
        assert self.dashboard.hook(self.name, self.secret) == 202

    def fix(self, branch: str, text: str = "mended") -> None:
        git("fetch", "-q", "origin", cwd=self.clone)
        git("switch", "-q", branch, cwd=self.clone)
        (self.clone / "app.py").write_text(app((3, text)))
        git("commit", "-qam", f"[HOTFIX] {branch.removeprefix('hotfix/')}: mend payments", cwd=self.clone)
        self.push(branch)

    def url(self, key: str) -> str:
        return f"/projects/{self.name}/hotfixes/{key}/"


def node(page: Page, name: str) -> str:
    """The state of a step, by its class."""
    step = page.locator(".stepper > li", has=page.locator(".lb", has_text=re.compile(f"^{name}$")))
    return (step.get_attribute("class") or "").split()[0]


def steps(page: Page) -> dict[str, str]:
    names = page.locator(".stepper .lb").all_inner_texts()
    return {name: node(page, name) for name in names}


def open_ticket(page: Page, till: Till, key: str) -> None:
    page.goto(f"/projects/{till.name}/hotfixes/")
    page.get_by_role("link", name="New hotfix").first.click()
    page.get_by_label("Ticket", exact=True).fill(key)
    page.get_by_label("What is wrong, or what fixes it").fill("Payments fail")
    answer(page)
    for number, question in enumerate(("critical", "production", "no_workaround")):
        page.locator(f"input[name=t-{question}][value=yes]").check()
        page.locator(f"input[name=t-{question}_why]").fill(REASONS[number])
    page.get_by_role("button", name="Answer").click()
    reaches(page, "Triage")


@pytest.fixture
def till(dashboard: Dashboard, tmp_path: Path) -> Till:
    return Till(dashboard, tmp_path, f"till-{int(time.time() * 1000) % 10**9}")


def by_buttons(visit: Visit, till: Till, key: str, *, script: bool = True) -> Page:
    page = visit("/", who="manager", script=script, width=1440)
    open_ticket(page, till, key)

    def settled(name: str, state: str = "is-done") -> None:
        """With script the page follows by itself; without, somebody looks again."""
        if script:
            reaches(page, name, state)
            return
        deadline = time.monotonic() + 20
        while node(page, name) != state and time.monotonic() < deadline:
            time.sleep(0.2)
            page.goto(till.url(key))
        assert node(page, name) == state

    page.locator("#act-primary", has_text="Choose the way out").click()
    page.get_by_label("Reason").fill("Only this may ship today.")
    answer(page)
    page.locator("#act-primary", has_text="Cut the branch").click()
    answer(page)
    settled("Branch")
    till.fix(f"hotfix/{key}")
    settled("Fix")
    second = visit(till.url(key), who="admin", script=script, width=1440)
    second.locator("#act-primary", has_text="Review").click()
    second.locator("form.ask input[value=approve]").check()
    answer(second)
    settled("Review")
    page.locator("#act-primary", has_text="Finish").click()
    expect(page.get_by_label("Tag", exact=True)).to_have_value("v1.0.2")
    boxes = page.locator("form.ask input[name=also]:checked")
    while boxes.count():
        # It could be merged back with the same push; here that is a step of its own.
        boxes.first.uncheck()
    answer(page)
    settled("Production")
    settled("Merge-back", "is-owed")
    page.get_by_role("link", name=re.compile("^Merge back into all")).first.click()
    answer(page)
    settled("Merge-back")
    page.locator("#act-primary", has_text="Delete the branch").click()
    answer(page)
    settled("Clean-up")
    expect(page.locator("#h-act")).to_have_text("Nothing is left to do")
    return page


def by_git(visit: Visit, till: Till, key: str) -> Page:
    page = visit("/", who="manager", width=1440)
    open_ticket(page, till, key)
    page.evaluate("window.notReloaded = true")
    branch, work = f"hotfix/{key}", till.clone
    git("fetch", "-q", "--tags", "origin", cwd=work)
    git("switch", "-q", "-c", branch, "v1.0.1", cwd=work)
    till.push(branch)
    reaches(page, "Branch")
    till.fix(branch)
    reaches(page, "Fix")
    git("switch", "-q", "main", cwd=work)
    git("merge", "-q", "--no-ff", "-m", f"Merge branch '{branch}'", branch, cwd=work)
    git("tag", "-a", "v1.0.2", "-m", "1.0.2", cwd=work)
    till.push("main", "v1.0.2")
    reaches(page, "Merge-back", "is-owed")
    for target in ("develop", "release/1.1"):
        git("switch", "-q", target, cwd=work)
        git("merge", "-q", "--no-ff", "-m", f"Merge branch '{branch}' into {target}", branch, cwd=work)
    till.push("develop", "release/1.1")
    reaches(page, "Merge-back")
    till.push(f":{branch}")
    reaches(page, "Clean-up")
    assert page.evaluate("window.notReloaded") is True
    return page


@pytest.mark.long
def test_buttons_and_git_alone_end_on_the_same_page(
    visit: Visit, dashboard: Dashboard, tmp_path: Path, till: Till
) -> None:
    one = steps(by_buttons(visit, till, "TICKET-2001"))
    other = Till(dashboard, tmp_path, f"{till.name}-b")
    two = steps(by_git(visit, other, "TICKET-2001"))
    assert one.pop("Review") == "is-done"
    assert two.pop("Review") == "is-skip"
    assert one == two
    assert one["Clean-up"] == "is-done"
    assert "mended" in till.repo.read("develop", "app.py")
    assert not till.repo.exists("hotfix/TICKET-2001")


def test_everything_works_without_script(visit: Visit, till: Till) -> None:
    by_buttons(visit, till, "TICKET-2002", script=False)
    for target in ("main", "develop", "release/1.1"):
        assert "mended" in till.repo.read(target, "app.py")


def test_a_push_takes_nothing_from_somebody_who_types(visit: Visit, till: Till) -> None:
    page = visit("/", who="manager", width=1440)
    page.goto(f"/projects/{till.name}/hotfixes/")
    page.get_by_role("link", name="New hotfix").first.click()
    page.get_by_label("Ticket", exact=True).fill("TICKET-2003")
    page.get_by_label("What is wrong, or what fixes it").fill("Payments fail")
    answer(page)
    why = page.locator("input[name=t-critical_why]")
    why.fill("Half a sentence")
    other = page.locator("input[name=t-production_why]")
    other.fill("and another")
    page.locator("input[name=t-critical][value=yes]").check()
    other.focus()
    git("switch", "-q", "-c", "hotfix/TICKET-2003", "v1.0.1", cwd=till.clone)
    till.push("hotfix/TICKET-2003")
    reaches(page, "Branch")
    expect(why).to_have_value("Half a sentence")
    expect(other).to_have_value("and another")
    expect(page.locator("input[name=t-critical][value=yes]")).to_be_checked()
    assert page.evaluate("document.activeElement.name") == "t-production_why"


def test_the_dialog_gives_the_focus_back(visit: Visit) -> None:
    page = visit("/projects/checkout-api/hotfixes/TICKET-1234/", width=1440)
    waive = page.locator("a[aria-label='Waive…: develop']").first
    waive.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    assert page.evaluate("document.activeElement.name") == "reason"
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(waive).to_be_focused()
