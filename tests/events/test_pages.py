"""Pages of the embedded server: many at once, long downloads, people who leave half-way; nothing is left open."""

from __future__ import annotations

import os
import socket
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.conf import settings

from releases.deploys.models import Run
from tests.factories import make_environment, make_lines, make_project, make_shipment, make_user
from tests.plugins.real import Broker, Site, session_of

pytestmark = [pytest.mark.broker, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def run(broker: Broker) -> Run:
    run = make_shipment(make_environment(make_project("shop")), state="done")
    make_lines(run, *(f"line {number} {'x' * 200}" for number in range(5000)))
    return run


@pytest.fixture
def cookie(run: Run) -> str:
    session = session_of(make_user("ada", "viewer", projects=[run.project]))
    return f"{settings.SESSION_COOKIE_NAME}={session}"


def read(site: Site, path: str, cookie: str) -> bytes:
    request = urllib.request.Request(site.url + path, headers={"Cookie": cookie})
    with urllib.request.urlopen(request, timeout=30) as answer:
        found: bytes = answer.read()
        return found


def files_of(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def leave_early(site: Site, path: str, cookie: str) -> None:
    """Ask, read a little, and go."""
    host, _, port = site.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=10) as line:
        line.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nCookie: {cookie}\r\n\r\n".encode())
        assert line.recv(1000).startswith(b"HTTP/1.1 200")


def test_a_download_is_whole_while_others_leave_half_way(site: Site, run: Run, cookie: str) -> None:
    path = f"/projects/shop/deploys/{run.pk}/log.txt"
    whole = read(site, path, cookie)
    assert whole.count(b"\n") >= 5000
    with ThreadPoolExecutor(8) as pool:
        left = [pool.submit(leave_early, site, path, cookie) for _ in range(30)]
        stayed = [pool.submit(read, site, path, cookie) for _ in range(6)]
        for job in left:
            job.result()
        assert {job.result() for job in stayed} == {whole}
    assert b"shop" in read(site, "/projects/shop/", cookie), "pages are answered as before"


@pytest.mark.long
def test_more_people_than_threads_are_answered_and_nothing_stays_open(site: Site, run: Run, cookie: str) -> None:
    path = f"/projects/shop/deploys/{run.pk}/"
    with ThreadPoolExecutor(60) as pool:
        list(pool.map(lambda _: read(site, path, cookie), range(60)))
        before = files_of(site.pid)
        answers = list(pool.map(lambda _: len(read(site, path, cookie)), range(90)))
    assert min(answers) > 1000
    assert files_of(site.pid) <= before + 20
