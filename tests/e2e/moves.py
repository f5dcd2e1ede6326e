"""What every story does: git by hand, a question answered, a step reached, somebody else's review."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect

from .conftest import Dashboard

PATIENCE = 180.0
"""Seconds for each stage: the whole dashboard and other tests share the machine."""


def git(*args: str, cwd: Path) -> str:
    identity = ["-c", "user.name=Mira", "-c", "user.email=mira@example.org"]
    done = subprocess.run(["git", *identity, *args], cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def until(what: Callable[[], bool], said: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < deadline, said
        time.sleep(0.3)


def demo_is_out(dashboard: Dashboard) -> None:
    """The demo's own first releases have been shipped."""
    until(lambda: not (dashboard.folder / "demo/apps/to-ship").exists(), "the demo's first releases did not come out")


def reaches(page: Page, name: str, state: str = "is-done") -> None:
    step = page.locator(f".stepper > li.{state}", has=page.locator(".lb", has_text=re.compile(f"^{name}$")))
    expect(step).to_have_count(1, timeout=PATIENCE * 1000)


def answer(page: Page) -> None:
    """Send the question that is open, in the dialog or on its page."""
    page.locator("form.ask button[type=submit]").click()


def review_and_finish(page: Page, second: Page, tag: str) -> None:
    """Somebody else says yes, and it is finished as this tag, merged back nowhere yet."""
    second.goto(page.url)
    second.locator("#act-primary", has_text="Review").click()
    second.locator("form.ask input[value=approve]").check()
    answer(second)
    reaches(page, "Review")
    page.locator("#act-primary", has_text="Finish").click()
    expect(page.get_by_label("Tag", exact=True)).to_have_value(tag)
    boxes = page.locator("form.ask input[name=also]:checked")
    while boxes.count():
        boxes.first.uncheck()
    answer(page)
    reaches(page, "Tag")
