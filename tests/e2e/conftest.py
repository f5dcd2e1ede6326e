"""One whole dashboard, started as a person starts it: `manage.py serve` in an empty folder, demo included."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Page, Request, expect

from tests.plugins.real import Pages, free_port

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 240
# The machine that runs this runs the whole dashboard and other tests beside it.
expect.set_options(timeout=60_000)
LOGIN = {"viewer": "viewer-demo", "manager": "manager-demo", "admin": "admin-demo"}


@dataclass
class Dashboard:
    """A running dashboard, seen from outside."""

    url: str
    folder: Path
    environment: dict[str, str]

    def manage(self, *args: str) -> str:
        """Run a command on the same data."""
        done = subprocess.run(
            [sys.executable, "manage.py", *args],
            cwd=ROOT,
            env={**self.environment, "COLUMNS": "160"},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def remote(self, name: str) -> Path:
        return self.folder / "demo" / f"{name}.git"

    def hook(self, project: str, secret: str) -> int:
        """Tell about a push, signed; the answer's status."""
        body = json.dumps({"ref": "refs/heads/develop"}).encode()
        signature = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        request = urllib.request.Request(f"{self.url}/hooks/{project}", data=body, method="POST")
        request.add_header("X-Hub-Signature-256", signature)
        request.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as refused:
            return refused.code

    def hook_secret(self, project: str) -> str:
        return self.manage("project", "hook", project).rpartition("secret: ")[2].strip()

    def answers(self, path: str) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}{path}", timeout=5) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False


@pytest.fixture(scope="session")
def dashboard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    """The one that tests share: they leave the demo's projects as they are, or make their own."""
    with served(tmp_path_factory.mktemp("dashboard")) as running:
        yield running


@pytest.fixture(scope="module")
def shipping_dashboard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    """For stories that leave releases and incidents behind in the demo, of which others tell otherwise.

    Ended with its module: a second dashboard that runs on takes a tenth of a processor from all tests after it.
    """
    with served(tmp_path_factory.mktemp("shipping")) as running:
        yield running


@contextmanager
def served(folder: Path) -> Iterator[Dashboard]:
    """`manage.py serve` with its data below this folder, until the block ends."""
    port = free_port()
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("DJANGO_", "DATABASE_", "PYTEST", "TEST_")) and name not in ("REDIS_URL", "SECRET_KEY")
    }
    environment = kept | {"DATA_DIR": str(folder / "var"), "HOST": "127.0.0.1", "PORT": str(port)}
    log = folder / "serve.log"
    with open(log, "wb") as output:
        serving = subprocess.Popen(
            [sys.executable, "manage.py", "serve"], cwd=ROOT, env=environment, stdout=output, stderr=output
        )
    running = Dashboard(f"http://127.0.0.1:{port}", folder / "var", environment)
    try:
        deadline = time.monotonic() + START_SECONDS
        while not running.answers("/readyz"):
            if serving.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"the dashboard did not start:\n{log.read_text()[-4000:]}")
            time.sleep(0.1)
        yield running
    finally:
        serving.send_signal(signal.SIGINT)
        try:
            serving.wait(20)
        except subprocess.TimeoutExpired:
            serving.kill()
            serving.wait()


def sign_in(page: Page, who: str = "manager") -> None:
    """Sign in with the demo's log-in, through the form."""
    page.goto("/accounts/login/")
    page.get_by_label("User name").fill(who)
    page.get_by_label("Password").fill(LOGIN[who])
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(lambda url: "/login/" not in url)


@pytest.fixture
def visit(dashboard: Dashboard, open_page: Pages) -> Iterator[Visit]:
    visiting = Visit(dashboard, open_page)
    yield visiting
    # Shown when the test failed.
    print(f"no answer so far: {visiting.waiting or 'nothing'}")
    print((dashboard.folder.parent / "serve.log").read_text(errors="replace")[-4000:])


class Visit:
    """Opens pages of the dashboard, signed in."""

    def __init__(self, dashboard: Dashboard, open_page: Pages) -> None:
        self._dashboard, self._open_page = dashboard, open_page
        self._asked: dict[Request, float] = {}

    @property
    def waiting(self) -> list[str]:
        """What browsers still wait for, and for how long."""
        now = time.monotonic()
        return [f"{asked.method} {asked.url} for {now - since:.1f} s" for asked, since in self._asked.items()]

    def _note(self, page: Page) -> None:
        page.on("request", self._is_asked)
        page.on("requestfinished", self._is_over)
        page.on("requestfailed", self._is_over)

    def _is_asked(self, request: Request) -> None:
        self._asked[request] = time.monotonic()

    def _is_over(self, request: Request) -> None:
        self._asked.pop(request, None)

    def __call__(
        self, path: str = "/", *, who: str = "manager", theme: str = "", width: int = 1280, script: bool = True
    ) -> Page:
        page = self._open_page(self._dashboard.url, theme=theme, width=width, script=script)
        page.set_default_timeout(90_000)
        self._note(page)
        sign_in(page, who)
        if path != "/":
            page.goto(path)
        return page

    def stranger(self, path: str) -> Page:
        """A page for somebody without an account."""
        page = self._open_page(self._dashboard.url)
        page.set_default_timeout(90_000)
        self._note(page)
        page.goto(path)
        return page

    def expect(self, *parts: str) -> None:
        """Messages of the browser's console that the test provokes."""
        self._open_page.expected.extend(parts)
