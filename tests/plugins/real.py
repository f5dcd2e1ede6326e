"""The real things that tests may ask for: broker, worker, web server, browser. Each starts once per test process.

| fixture | what it gives |
|---|---|
| `broker` | a running broker, emptied before the test: `.client`, `.kill()`, `.start()` |
| `worker` | a Celery worker of its own process on both queues, on the test's database: `.pid`, `.kill()`, `.start()` |
| `site` | a web server of its own process (pages and events stream) on the test's database: `.url` |
| `browser`, `page` | Chromium; a page that fails the test on script errors and on breaches of the content policy |
| `open_page` | `open_page(user=None, theme="light", width=1280, height=900)`: such a page, signed in |
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
import redis
from django.conf import settings
from django.db import connections
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Playwright, expect, sync_playwright

from hotfixdash import heartbeat
from hotfixdash.supervisor import sessions
from hotfixdash.supervisor.broker import answers, server_command, wait_until_it_answers
from tests.plugins.needs import find_chromium

START_SECONDS = 180.0
# How long something takes to show says how busy the machine is.
expect.set_options(timeout=20_000)
CHROMIUM_FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


class Process:
    """A process in a session of its own; `start` waits until it can be used."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.log = Path(settings.DATA_DIR) / f"{name}.log"
        self._process: subprocess.Popen[bytes] | None = None

    def command(self) -> list[str]:
        raise NotImplementedError

    def is_ready(self) -> bool:
        raise NotImplementedError

    @property
    def pid(self) -> int:
        assert self._process is not None, f"{self.name} is not running"
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        if self.running:
            return
        with open(self.log, "ab") as log:
            self._process = subprocess.Popen(
                self.command(), stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=program_environment(),
                cwd=settings.BASE_DIR, start_new_session=True,
            )  # fmt: skip
        deadline = time.monotonic() + START_SECONDS
        while not self.is_ready():
            if not self.running or time.monotonic() > deadline:
                self.kill()
                pytest.fail(f"{self.name} did not start:\n{self.log.read_text()[-3000:]}")
            time.sleep(0.03)

    def kill(self) -> None:
        """As the kernel would: no chance to clear up, and nothing that it started survives."""
        if self._process is not None:
            sessions.end([self._process.pid])
            self._process.wait()
            self._process = None

    def stop(self) -> None:
        """In order, with a moment to finish."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                pass
            self.kill()


def program_environment() -> dict[str, str]:
    """The environment in which another process sees this test's data folder, database and broker."""
    database = connections["default"].settings_dict
    if connections["default"].vendor == "sqlite":
        url = f"sqlite:///{database['NAME']}"
    else:
        folder = database["HOST"] or database["OPTIONS"]["host"]
        url = f"postgres://{database['USER']}@/{database['NAME']}?host={folder}"
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("DATABASE_", "PYTEST", "TEST_"))}
    return kept | {
        "DJANGO_SETTINGS_MODULE": "tests.program_settings",
        "DATA_DIR": str(settings.DATA_DIR),
        "DATABASE_URL": url,
        "PYTHONUNBUFFERED": "1",
    }


class Broker(Process):
    """A real Redis-protocol server on the Unix socket that the settings name."""

    def __init__(self) -> None:
        super().__init__("broker")
        self.client = redis.Redis.from_url(settings.REDIS_URL)

    def command(self) -> list[str]:
        return server_command(settings.BROKER_SOCKET, Path(settings.DATA_DIR) / "broker")

    def is_ready(self) -> bool:
        return answers(settings.REDIS_URL) and wait_until_it_answers(settings.REDIS_URL, 1)


class Worker(Process):
    """A Celery worker with two processes on both queues."""

    def __init__(self, broker: Broker) -> None:
        super().__init__("worker")
        self._broker = broker

    def command(self) -> list[str]:
        return [
            sys.executable, "-W", "ignore", "-m", "celery", "--quiet", "-A", "hotfixdash", "worker",
            "-Q", "default,git,deploy", "-c", "2", "-l", "info", "--without-gossip", "--without-mingle",
            "--without-heartbeat",
        ]  # fmt: skip

    def is_ready(self) -> bool:
        return any(key.endswith(f":{self.pid}".encode()) for key in self._broker.client.keys(f"{heartbeat.PREFIX}*"))


class Site(Process):
    """Pages and the events stream on a port of its own."""

    def __init__(self) -> None:
        super().__init__("site")
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"

    def command(self) -> list[str]:
        return [
            sys.executable, "-m", "uvicorn", "hotfixdash.asgi:application", "--port", str(self.port),
            "--timeout-graceful-shutdown", "6", "--log-level", "warning", "--no-proxy-headers",
        ]  # fmt: skip

    def is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/healthz", timeout=5):
                return True
        except (urllib.error.URLError, OSError):
            return False


def free_port() -> int:
    """A TCP port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return cast(int, probe.getsockname()[1])


@pytest.fixture(scope="session")
def broker_process() -> Iterator[Broker]:
    process = Broker()
    yield process
    process.kill()


@pytest.fixture(scope="session")
def worker_process(django_db_setup: None, broker_process: Broker) -> Iterator[Worker]:
    process = Worker(broker_process)
    _standing.append(process)
    yield process
    _standing.remove(process)
    process.kill()


_standing: list[Worker] = []


@pytest.fixture(autouse=True)
def _no_worker_of_others(request: pytest.FixtureRequest) -> None:
    """What a test queues and carries out by itself is not to be taken by the worker that served another test."""
    names = set(request.fixturenames)
    if "transactional_db" in names or _in_transactions(request):
        for process in _standing if names.isdisjoint({"worker", "worker_process"}) else ():
            process.stop()


@pytest.fixture(autouse=True)
def _no_broker_of_others(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: Any
) -> None:
    """Without asking for a broker there is none, whatever test ran before on this process."""
    marked = any(request.node.get_closest_marker(kind) for kind in ("broker", "browser"))
    if not marked and set(request.fixturenames).isdisjoint({"broker_process", "worker_process", "site_process"}):
        monkeypatch.setattr(settings, "REDIS_URL", f"unix://{tmp_path_factory.getbasetemp()}/nobody.sock")


def _in_transactions(request: pytest.FixtureRequest) -> bool:
    mark = request.node.get_closest_marker("django_db")
    return mark is not None and bool(mark.kwargs.get("transaction"))


@pytest.fixture(scope="session")
def site_process(django_db_setup: None) -> Iterator[Site]:
    process = Site()
    yield process
    process.kill()


@pytest.fixture
def broker(broker_process: Broker) -> Broker:
    broker_process.start()
    for key in broker_process.client.scan_iter("*"):
        # A running worker's own keys stay: it shows itself only every few seconds.
        if not key.startswith((heartbeat.PREFIX.encode(), b"_kombu.binding")):
            broker_process.client.delete(key)
    return broker_process


@pytest.fixture
def worker(transactional_db: None, broker: Broker, worker_process: Worker) -> Worker:
    worker_process.start()
    return worker_process


@pytest.fixture
def site(transactional_db: None, site_process: Site) -> Site:
    site_process.start()
    return site_process


@pytest.fixture(scope="session")
def _playwright() -> Iterator[Playwright]:
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="session")
def browser(request: pytest.FixtureRequest) -> Iterator[Browser]:
    path = find_chromium()
    if path is None:
        pytest.skip("Chromium is not installed")
    playwright = request.getfixturevalue("_playwright")
    browser = playwright.chromium.launch(executable_path=path, headless=True, args=CHROMIUM_FLAGS)
    yield browser
    browser.close()


class Pages:
    """Opens pages and remembers what went wrong in them."""

    def __init__(self, browser: Browser) -> None:
        self.browser = browser
        self.contexts: list[BrowserContext] = []
        self.problems: list[str] = []
        self.expected: list[str] = []
        """Parts of messages that the test provokes on purpose."""

    def __call__(
        self, base_url: str = "", user: Any = None, *, theme: str = "", width: int = 1280, height: int = 900,
        script: bool = True, **options: Any,
    ) -> Page:  # fmt: skip
        context = self.browser.new_context(
            base_url=base_url or None,
            viewport={"width": width, "height": height},
            java_script_enabled=script,
            **options,
        )
        context.set_default_timeout(40_000)
        self.contexts.append(context)
        cookies: list[Any] = []
        if user is not None:
            cookies.append({"name": settings.SESSION_COOKIE_NAME, "value": session_of(user), "url": base_url})
        if theme:
            cookies.append({"name": "theme", "value": theme, "url": base_url})
        context.add_cookies(cookies)
        page = context.new_page()
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self.problems.append(f"script error: {error}"))
        return page

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.problems.append(f"console: {message.text}")

    def check(self) -> None:
        """Fails on what nobody expected."""
        left = [problem for problem in self.problems if not any(part in problem for part in self.expected)]
        assert not left, "\n".join(left)


def session_of(user: Any) -> str:
    """The key of a new session of this person."""
    client = Client()
    client.force_login(user)
    return client.cookies[settings.SESSION_COOKIE_NAME].value


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Pages]:
    pages = Pages(browser)
    yield pages
    for context in pages.contexts:
        context.close()
    pages.check()


@pytest.fixture
def page(open_page: Pages) -> Page:
    return open_page()


@pytest.fixture
def no_process_left() -> Iterator[Callable[[], list[int]]]:
    """Gives a function that lists this process's children; fails the test when it leaves any behind."""
    before = set(_children())

    def new() -> list[int]:
        return [pid for pid in _children() if pid not in before]

    yield new
    deadline = time.monotonic() + 2
    while new() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not new(), f"processes left behind: {[_name(pid) for pid in new()]}"


def _children() -> list[int]:
    path = Path(f"/proc/{os.getpid()}/task")
    if not path.exists():
        return []
    found: list[int] = []
    for task in path.iterdir():
        try:
            found += [int(pid) for pid in (task / "children").read_text().split()]
        except OSError:
            continue
    return found


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except OSError:
        return str(pid)


def stop_signal(pid: int, number: int = signal.SIGTERM) -> None:
    """Send a signal; a process that has gone already is no error."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass
