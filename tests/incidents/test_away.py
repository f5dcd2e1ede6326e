"""Broker and database go away under real processes: the public page is answered all the time, as it was.

gunicorn as docker-compose.yml starts it, PostgreSQL and the broker are processes of this test's own, which it stops.
"""

from __future__ import annotations

import gzip
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from bench.stampede_site import PATH, Site
from tests.plugins.postgres import PostgresMissing

pytestmark = pytest.mark.long


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with ExitStack() as stack:
        try:
            yield Site(tmp_path, stack)
        except PostgresMissing as missing:
            pytest.skip(str(missing))


def ask(site: Site, path: str = PATH, tag: str = "") -> tuple[int, str, str]:
    """Status, words and tag."""
    headers = {"Accept-Encoding": "gzip"} | ({"If-None-Match": tag} if tag else {})
    request = urllib.request.Request(f"http://127.0.0.1:{site.port}{path}", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            body = answer.read()
            text = gzip.decompress(body) if answer.headers["Content-Encoding"] == "gzip" else body
            return answer.status, text.decode(), answer.headers["ETag"]
    except urllib.error.HTTPError as error:
        return error.code, "", error.headers["ETag"] or ""


def until(true: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.2)


def answered_for(site: Site, seconds: float, word: str) -> None:
    """Every form of the page, by every worker, for as long."""
    over = time.monotonic() + seconds
    while time.monotonic() < over:
        began = time.monotonic()
        status, text, tag = ask(site)
        assert (status, word in text) == (200, True)
        assert ask(site, tag=tag)[0] == 304
        for path in ("/status/shop.json", "/status/shop/feed.atom", "/status/shop/badge.svg"):
            assert ask(site, path)[0] == 200
        assert time.monotonic() - began < 5
        time.sleep(0.05)


def test_the_page_is_answered_without_broker_and_database_and_goes_on_afterwards(site: Site) -> None:
    until(lambda: "bench-update-0" in ask(site)[1])
    site.broker_away()
    site.say(1)
    until(lambda: all("bench-update-1" in ask(site)[1] for _ in range(8)))
    site.database_away()
    answered_for(site, 8, "bench-update-1")
    site.database_back()
    site.broker_back()
    site.say(2)
    until(lambda: all("bench-update-2" in ask(site)[1] for _ in range(8)))


def test_a_web_server_that_starts_without_a_database_serves_what_was_drawn_last(site: Site) -> None:
    until(lambda: "bench-update-0" in ask(site)[1])
    site.broker_away()
    site.database_away()
    site.web_again()
    answered_for(site, 3, "bench-update-0")
    site.database_back()
    site.say(1)
    until(lambda: all("bench-update-1" in ask(site)[1] for _ in range(8)))
