"""A whole drill, by the pages and by git alone: started, played, ended, learned from, and nowhere else to be seen."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from .conftest import Dashboard, Visit
from .moves import PATIENCE, answer, demo_is_out, git, reaches, review_and_finish
from .test_whole_story import sent

pytestmark = [pytest.mark.browser, pytest.mark.broker]
PROJECT, PAST, KEY = "ledger", "TICKET-1219", "TICKET-9001"
BEFORE, TAG, STATUS = "v3.8.2", "v3.8.3", "drilled"
SOON = PATIENCE * 1000
NOTES = "Nobody knew how long a webhook is tried again."
FIX = {
    "ledger/schedule.py": ("TIMES = 14\n", "TIMES = 14\nLONGEST = 12 * 3600\n"),
    "ledger/webhooks.py": (
        "        moments.append(moment)\n",
        "        if moment <= 12 * 3600:\n            moments.append(moment)\n",
    ),
    "tests/test_webhooks.py": (
        '    def test_number_of_attempts(self):\n        self.assertEqual(len(attempts({"kind": "posting"})), 15)\n',
        "    def test_nothing_is_tried_after_twelve_hours(self):\n"
        '        self.assertLessEqual(attempts({"kind": "posting"})[-1], 12 * 3600)\n',
    ),
}
RESOLVED = {
    "ledger/schedule.py": ("FACTOR = 2\n", "FACTOR = 2\nLONGEST = 12 * 3600\n"),
    "ledger/webhooks.py": (
        '    return list(accumulate(pauses(kind, urgent=event.get("urgent", False)), initial=0))\n',
        '    moments = accumulate(pauses(kind, urgent=event.get("urgent", False)), initial=0)\n'
        "    return [moment for moment in moments if moment <= 12 * 3600]\n",
    ),
    "tests/test_webhooks.py": (
        '    def test_number_of_attempts(self):\n        self.assertEqual(len(attempts({"kind": "payout"})), 21)\n',
        FIX["tests/test_webhooks.py"][1],
    ),
}


@pytest.fixture(scope="module")
def dashboard(shipping_dashboard: Dashboard) -> Dashboard:
    return shipping_dashboard


class Engineer:
    """Somebody at a shell: clones with the command that the drill's page shows, writes the fix, pushes, merges."""

    def __init__(self, command: str, folder: Path) -> None:
        subprocess.run(shlex.split(command), cwd=folder, check=True, capture_output=True)
        self.at, self.branch = folder / shlex.split(command)[-1], f"hotfix/{KEY}"
        for name, value in {"name": "Mira", "email": "mira@example.org"}.items():
            git("config", f"user.{name}", value, cwd=self.at)

    def write_fix(self) -> None:
        git("fetch", "-q", "origin", cwd=self.at)
        git("switch", "-q", self.branch, cwd=self.at)
        for name, (old, new) in FIX.items():
            replaced(self.at / name, old, new)
        git("commit", "-qam", f"[HOTFIX] {KEY}: Stop trying webhooks after 12 hours", cwd=self.at)
        git("push", "-q", "origin", self.branch, cwd=self.at)

    def merge_back(self) -> None:
        """develop was written anew meanwhile, as it was then: what conflicts is resolved by hand."""
        git("fetch", "-q", "origin", cwd=self.at)
        git("switch", "-q", "-C", "develop", "origin/develop", cwd=self.at)
        merge = ["git", "merge", "-q", "--no-commit", f"origin/{self.branch}"]
        said = subprocess.run(merge, cwd=self.at, capture_output=True, text=True)
        assert "CONFLICT" in said.stdout
        for name, (old, new) in RESOLVED.items():
            git("checkout", "-q", "--ours", name, cwd=self.at)
            replaced(self.at / name, old, new)
        git("commit", "-qam", f"Merge branch '{self.branch}' into develop", cwd=self.at)
        git("push", "-q", "origin", "develop", cwd=self.at)

    def clean_up(self) -> None:
        git("push", "-q", "origin", "--delete", self.branch, cwd=self.at)


def replaced(file: Path, old: str, new: str) -> None:
    assert old in file.read_text(), f"the copy does not begin with the bug: {file.name}"
    file.write_text(file.read_text().replace(old, new))


def ticked(drill: Page, *labels: str) -> None:
    """The drill's page, which nobody touches, shows these steps as done."""
    for label in labels:
        row = drill.locator(".dl-list li", has_text=label)
        expect(row.locator(".dl-at")).to_have_text(re.compile("after|done"), timeout=SOON)


def set_up_status_page(admin: Page) -> None:
    admin.goto("/incident-settings/page/")
    admin.get_by_label("Title", exact=True).fill("What is drilled")
    admin.get_by_label("Address", exact=True).fill(STATUS)
    admin.get_by_label("Who sees it").select_option("public")
    admin.get_by_label(PROJECT, exact=True).check()
    admin.get_by_role("button", name="Save").click()
    expect(admin.locator("main")).to_contain_text("What is drilled")


def start(page: Page) -> str:
    """From the project's page; the address of the drill, which is prepared when this returns."""
    page.goto(f"/projects/{PROJECT}/")
    strip(page).get_by_role("link", name="All drills").click()
    page.get_by_role("link", name="Start a drill").click()
    form = page.locator("form.ask")
    form.get_by_label("A past hotfix", exact=False).check()
    fixes = form.get_by_label("Which hotfix")
    fixes.select_option(label=next(text for text in fixes.locator("option").all_inner_texts() if PAST in text))
    answer(page)
    expect(page.get_by_role("heading", level=1)).to_contain_text("Drill: ")
    expect(page.get_by_role("heading", name="What to mend")).to_be_visible(timeout=SOON)
    return page.url


def strip(page: Page) -> Locator:
    """What the project's page says of drills."""
    return page.locator("section", has=page.get_by_role("heading", name="Drills", exact=True))


def open_hotfix(page: Page) -> str:
    """The ticket in the copy, from the drill's page, triaged; its branch is cut with a button."""
    page.get_by_role("link", name="Open a hotfix").first.click()
    page.get_by_label("Ticket", exact=True).fill(KEY)
    page.get_by_label("What is wrong, or what fixes it").fill("Webhooks are tried for days")
    answer(page)
    expect(page.get_by_label("This is a drill")).to_contain_text("nothing here is real")
    for question in ("critical", "production", "no_workaround"):
        page.locator(f"input[name=t-{question}][value=yes]").check()
        page.locator(f"input[name=t-{question}_why]").fill("Others are called again and again.")
    page.get_by_role("button", name="Answer").click()
    reaches(page, "Triage")
    page.locator("#act-primary", has_text="Choose the way out").click()
    page.get_by_label("Reason").fill("Only this may ship today.")
    answer(page)
    page.locator("#act-primary", has_text="Cut the branch").click()
    answer(page)
    reaches(page, "Branch")
    return page.url


def approve(second: Page, drill: str) -> None:
    """From the drill's page: nobody is written to, so it stands there."""
    second.goto(drill)
    second.get_by_role("link", name="Review and decide").click(timeout=SOON)
    expect(second.get_by_label("This is a drill")).to_be_visible()
    second.get_by_label("Comment").fill("The folder is there.")
    second.get_by_role("button", name="Approve and deploy").click()
    expect(second.get_by_role("link", name=re.compile("the deployment"))).to_be_visible()


def close_incident(page: Page, drill: str) -> None:
    page.goto(drill)
    page.get_by_role("link", name="DRILL-1").click()
    page.goto(f"{page.url}say/")
    page.get_by_label("State").select_option("resolved")
    page.locator("form.ask textarea").first.fill("Webhooks end after twelve hours again.")
    sent(page)
    expect(page.locator("main")).to_contain_text("Resolved")


def end(page: Page, drill: str) -> None:
    page.goto(drill)
    page.get_by_role("link", name="End the drill").click()
    page.get_by_label("What did you notice?").fill(NOTES)
    answer(page)
    expect(page.locator(".dl-h")).to_contain_text(re.compile(r"(\d+) of \1 steps were done"))


def words(page: Page, path: str, what: str = "main") -> str:
    """What it says, without ages, and whether git is asked at this moment."""
    page.goto(path)
    said = " ".join(page.locator(what).first.inner_text().split())
    said = re.sub(r"\b(?:\d+ ?(?:s|min|m|h|d|days?|weeks?|months?)\b ?)+", "… ", said)
    return re.sub(r"\b(?:Checking|Read) … ago", "Read", said)


def figures(page: Page, stranger: Page) -> list[str]:
    """What the overviews count, every incident, and what people outside see."""
    asked = ((f"/projects/{PROJECT}/", ".answer h1"), ("/", ".answer h1"), ("/projects/", "main"),
             ("/incidents/", "main"), ("/hotfixes/", "main"), ("/deploys/history/", "main"))  # fmt: skip
    return [words(page, path, what) for path, what in asked] + [words(stranger, f"/status/{STATUS}/")]


def nowhere_else(page: Page, stranger: Page, before: list[str]) -> None:
    """Neither colleagues' lists nor stakeholders' pages know of it."""
    assert figures(page, stranger) == before
    for path in ("/", f"/projects/{PROJECT}/", "/releases/", "/deploys/", "/waiting/", f"/search/?q={KEY}"):
        page.goto(path)
        for trace in (f"{KEY}:", "DRILL-", "Drill of", "drill-of"):
            assert trace not in page.content(), (path, trace)
    for path in ("", "feed.atom", ".json"):
        answered = stranger.request.get(f"/status/{STATUS}{path if path.startswith('.') else f'/{path}'}")
        assert "drill of" not in answered.text().lower(), path
        assert "webhooks" not in answered.text().lower(), path


def learned(page: Page, drill: str) -> None:
    """The score, the draft, and what the project's page says from now on."""
    page.goto(drill)
    for said in ("To the branch", "To production", "To merged back", "was not needed", NOTES):
        expect(page.locator("main")).to_contain_text(said)
    expect(page.locator("main")).not_to_contain_text("not done")
    page.get_by_role("link", name=re.compile(r"^PM-\d+$")).click()
    for said in ("branch cut", "reviewed", "approved", f"live in production ({TAG})", "merged back"):
        expect(page.locator("#s-timeline")).to_contain_text(said)
    expect(page.locator("#t-summary")).to_have_value(re.compile(rf"14 of 14 steps.*{re.escape(NOTES)}", re.DOTALL))
    for machine in ("approved. git", "reviewed. git"):
        expect(page.locator("#s-timeline")).not_to_contain_text(machine)
    page.goto(f"/projects/{PROJECT}/")
    expect(strip(page)).to_contain_text(re.compile(r"Last drill\s*\d+ (s|min) ago"))
    strip(page).get_by_role("link", name="All drills").click()
    expect(page.locator("tbody tr").first).to_contain_text("Ended")


@pytest.mark.long
@pytest.mark.timeout(1500)
def test_a_drill_from_its_start_to_what_was_learned(dashboard: Dashboard, visit: Visit, tmp_path: Path) -> None:
    demo_is_out(dashboard)
    admin, page = visit(who="admin", width=1440), visit(who="manager", width=1440)
    set_up_status_page(admin)
    stranger = visit.stranger(f"/status/{STATUS}/")
    before = figures(page, stranger)
    real = git("for-each-ref", cwd=dashboard.remote(PROJECT))

    drill = start(page)
    command = page.get_by_label("Clone the copy").inner_text()
    assert dashboard.remote(PROJECT).name not in command
    engineer = Engineer(command, tmp_path)
    watch = visit(drill, who="manager")
    watch.evaluate("window.notReloaded = true")
    expect(watch.locator("[aria-current=step]")).to_contain_text("Ticket opened")

    hotfix = open_hotfix(page)
    ticked(watch, "Ticket opened", "Branch cut")
    engineer.write_fix()
    ticked(watch, "Fix written", "A test that would have shown it")
    review_and_finish(page, admin, TAG)
    ticked(watch, "Reviewed by somebody else", "Merged and tagged")
    expect(watch.locator("main")).to_contain_text(f"{TAG} waits for approval to production", timeout=SOON)
    approve(admin, drill)
    ticked(watch, "Approved by a second person", "Live in production", "Verified in production")
    engineer.merge_back()
    ticked(watch, "In every branch that needs it")
    engineer.clean_up()
    ticked(watch, "Branch removed")
    page.goto(hotfix)
    reaches(page, "Clean-up")
    close_incident(page, drill)
    ticked(watch, "Incident resolved")
    assert watch.evaluate("window.notReloaded") is True

    # Nothing of it is anywhere else, while it runs and when it is over.
    nowhere_else(page, stranger, before)
    end(page, drill)
    nowhere_else(page, stranger, before)
    assert git("for-each-ref", cwd=dashboard.remote(PROJECT)) == real
    learned(page, drill)
