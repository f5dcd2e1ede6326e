"""legacy-batch: a maintained line whose remote holds no more than the recent history, so git cannot tell everything."""

from __future__ import annotations

from ..history import Edit, History, add, patch
from ..source import App, Thing
from ..story import JONAS, OSKAR, PRIYA, Story, age

APP = App("legacy-batch", "batch", "Nightly jobs of the old warehouse")
CUT = age(days=45)
"""Older commits than this are not there."""
OLD, NEW = "stable/4.1", "stable/4.2"
"""The two lines that are supported; only the old one runs in production."""

_CALENDAR = '''"""Which nights have jobs."""

QUIET = ("12-24", "12-31")


def runs(day):
    return day[5:] not in QUIET
'''
_TEST_CALENDAR = """import unittest

from batch.calendar import runs


class Runs(unittest.TestCase):
    def test_quiet_nights(self):
        self.assertFalse(runs("2024-12-24"))
"""
_STOCK = '''"""Stock files of the warehouse."""


def read(lines):
    """Article and number of pieces, one a line."""
    return {article: int(pieces) for article, pieces in (line.split(";") for line in lines)}
'''

_NEW_YEAR = patch("""
@ batch/calendar.py
-QUIET = ("12-24", "12-31")
+QUIET = ("12-24", "12-31", "01-01")

@ tests/test_calendar.py
+
+    def test_new_year(self):
+        self.assertFalse(runs("2025-01-01"))
""")
_BLANK = patch("""
@ batch/stock.py
-    return {article: int(pieces) for article, pieces in (line.split(";") for line in lines)}
+    rows = (line.split(";") for line in lines if line.strip())
+    return {article: int(pieces) for article, pieces in rows}
""")

_EARLY = (
    Thing("job", "jobs", ("name", "hour"), ("waiting", "running", "done")),
    Thing("report", "reports", ("title", "night"), ("empty", "written")),
)
_THINGS = (
    Thing("shelf", "shelves", ("row", "height"), ("free", "full")),
    Thing("pallet", "pallets", ("content", "weight"), ("wrapped", "gone")),
    Thing("truck", "trucks", ("plate", "gate"), ("announced", "loaded", "left")),
    Thing("label", "labels", ("text", "printer"), ("queued", "printed")),
    Thing("count", "counts", ("shelf", "pieces"), ("asked", "counted")),
)
_NEW = (
    Thing("shift", "shifts", ("start", "people"), ("planned", "over")),
    Thing("gate", "gates", ("name", "side"), ("closed", "open")),
    Thing("scan", "scans", ("article", "place"), ("raw", "matched")),
)


def plan(story: Story) -> None:
    """Plan the whole history; `boundary` then says where it is cut."""
    files = {
        "batch/calendar.py": _CALENDAR,
        "tests/test_calendar.py": _TEST_CALENDAR,
        "batch/stock.py": _STOCK,
    }
    story.begin(age(days=150), "4.1.0", [add(path, text) for path, text in files.items()], by=OSKAR)
    story.everyday(_EARLY, branch="main", start=age(days=149), end=age(days=112))
    story.cut(age(days=110), OLD, "main")
    story.everyday(_THINGS, branch="main", start=age(days=108), end=age(days=1))
    story.cut(age(days=80), NEW, "main")
    story.everyday(_NEW, branch=NEW, start=age(days=79), end=age(days=4))
    _fix(story, "TICKET-1143", "Rest on New Year's Day", "4.1.1", age(days=39), _NEW_YEAR)
    _fix(story, "TICKET-1186", "Skip empty lines of stock files", "4.1.2", age(days=16), _BLANK)


def _fix(story: Story, ticket: str, title: str, version: str, live: int, edits: list[Edit]) -> None:
    """Straight onto the old line, merged into main the day after; the author had it on a shelf for two months."""
    wrote = PRIYA.at(story.now - live - age(days=60))

    def work(when: int) -> None:
        story.history.commit(OLD, title, edits, by=JONAS, at=when, body=f"Ticket: {ticket}", author=wrote)

    story.at(live + age(hours=1), work)
    story.release(version, live, on=OLD, note=title)
    story.merge(live - age(days=1), "main", OLD, by=JONAS)


def boundary(history: History, now: int) -> list[str]:
    """The oldest commits that are kept: those before the cut are gone."""
    kept = {sha for head in (*history.heads.values(), *history.tags.values()) for sha in history.ancestors(head)}
    recent = {sha for sha in kept if history.commits[sha].at >= now - CUT}
    edge = set()
    for sha in recent:
        old = [parent for parent in history.commits[sha].parents if parent not in recent]
        edge.update([sha] if old else [])
    return sorted(edge)
