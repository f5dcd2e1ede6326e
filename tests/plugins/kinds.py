"""Counts what really ran against PostgreSQL, the broker and the browser, and fails the run when a kind did not.

`--require broker,browser` names the kinds that must have run, without a skip. ALLOW_SKIP=1 turns the failure
into a warning. On SQLite, tests marked `postgres` are left out. With TEST_DATABASE=postgres every test that uses the
database runs and counts as one; those that need no database, or a browser, are left to the run on SQLite, and so are
the long ones, unless they are marked `postgres` or stand among those that tell the databases apart.
Without `--long` only those run there that may tell the two databases apart: the ones marked so, the ones that really
commit (races, locks, processes of their own), and those of queries of their own kind. `make test-full` runs all.

Of a test with many dear cases, `@pytest.mark.sample(3)` leaves the first three to every run; the others are long.
Those marked `races` run on PostgreSQL every time, and on SQLite with the long ones.
"""

from __future__ import annotations

import os
from collections import Counter

import pytest

KINDS = ("postgres", "broker", "browser", "long")
ON_POSTGRES = os.environ.get("TEST_DATABASE") == "postgres"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--require", default="", help="Kinds of tests that must have run, comma-separated.")
    parser.addoption("--long", action="store_true", help="Run the tests marked long too.")


TELLING = (
    "tests/incidents/test_announcements", "tests/incidents/test_hostile", "tests/incidents/test_incident_pages",
    "tests/incidents/test_postmortem_library", "tests/incidents/test_status_pages", "tests/keeping_up/",
    "tests/operations/test_carrying", "tests/operations/test_journal", "tests/operations/test_pressing",
    "tests/projects/",
)  # fmt: skip
"""Tests of searches, batches and conditional updates, and of odd texts, which databases take in ways of their own."""
SAME = ("test_killed", "test_stream")
"""Modules of tests that commit, about something else than the database."""
DATABASE_FIXTURES = {"db", "transactional_db", "live_server", "site", "worker"}


def uses_database(item: pytest.Item) -> bool:
    """Whether the test reads or writes rows."""
    if item.get_closest_marker("django_db") or item.get_closest_marker("postgres"):
        return True
    return bool(DATABASE_FIXTURES & set(getattr(item, "fixturenames", ())))


def _telling(item: pytest.Item) -> bool:
    return item.nodeid.startswith(TELLING)


def _tells(item: pytest.Item) -> bool:
    """Whether it may tell one database from the other."""
    marker = item.get_closest_marker("django_db")
    commits = (marker is not None and marker.kwargs.get("transaction")) or {"transactional_db", "live_server"} & set(
        getattr(item, "fixturenames", ())
    )
    if item.get_closest_marker("postgres") or _telling(item):
        return True
    return bool(commits and not item.path.stem.startswith(SAME))


def _kinds(item: pytest.Item) -> list[str]:
    found = {mark.name for mark in item.iter_markers() if mark.name in KINDS}
    if ON_POSTGRES and uses_database(item):
        found.add("postgres")
    return sorted(found)


def _mark_beyond_samples(items: list[pytest.Item]) -> None:
    cases: Counter[str] = Counter()
    for item in items:
        sample = item.get_closest_marker("sample")
        name = item.nodeid.partition("[")[0]
        cases[name] += 1
        if sample is not None and cases[name] > sample.args[0]:
            item.add_marker("long")


def _wants_worker(item: pytest.Item) -> bool:
    return "worker_process" in getattr(item, "fixturenames", ())


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    _mark_beyond_samples(items)
    kept: list[pytest.Item] = []
    left: list[pytest.Item] = []
    for item in items:
        item.user_properties.append(("kinds", ",".join(_kinds(item))))
        needs_postgres = item.get_closest_marker("postgres") and not ON_POSTGRES
        dear = item.get_closest_marker("long") or (item.get_closest_marker("races") and not ON_POSTGRES)
        needs_time = dear and not config.getoption("--long")
        same_as_on_sqlite = ON_POSTGRES and (
            not uses_database(item)
            or item.get_closest_marker("browser")
            or (item.get_closest_marker("long") and not item.get_closest_marker("postgres") and not _telling(item))
        )
        tells_little = ON_POSTGRES and not config.getoption("--long") and not _tells(item)
        (left if needs_postgres or needs_time or same_as_on_sqlite or tells_little else kept).append(item)
    if left:
        config.hook.pytest_deselected(items=left)
        items[:] = kept
    # A worker that was stopped for a test without one takes seconds to come back.
    # Whole dashboards run on until the end: their tests are the last.
    items.sort(key=lambda item: (not _wants_worker(item), item.nodeid.startswith("tests/e2e/")))


class Tally:
    """Listens on the process that writes the summary."""

    def __init__(self, required: list[str], *, forgiving: bool) -> None:
        self.required = required
        self.forgiving = forgiving
        self.ran: Counter[str] = Counter()
        self.skipped: Counter[str] = Counter()
        self.deselected: Counter[str] = Counter()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        kinds = dict(report.user_properties).get("kinds", "")
        for kind in filter(None, str(kinds).split(",")):
            if report.skipped:
                self.skipped[kind] += 1
            elif report.when == "call":
                self.ran[kind] += 1

    def problems(self) -> list[str]:
        """What was required and did not run, in words."""
        out = []
        for kind in self.required:
            if self.skipped[kind]:
                out.append(f"{self.skipped[kind]} {kind} tests were skipped")
            elif not self.ran[kind]:
                out.append(f"no {kind} test ran")
        return out

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self.problems() and not self.forgiving and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        counts = [f"{kind} {self.ran[kind]}" for kind in KINDS if self.ran[kind] or kind in self.required]
        if counts:
            terminalreporter.write_line("ran for real: " + ", ".join(counts))
        for problem in self.problems():
            word = "warning (ALLOW_SKIP)" if self.forgiving else "FAILED"
            terminalreporter.write_line(f"{word}: {problem}.", red=not self.forgiving, yellow=self.forgiving)


def pytest_configure(config: pytest.Config) -> None:
    if hasattr(config, "workerinput"):
        return
    required = [kind for kind in config.getoption("--require").split(",") if kind]
    config.pluginmanager.register(Tally(required, forgiving=os.environ.get("ALLOW_SKIP") == "1"), "kinds-tally")
