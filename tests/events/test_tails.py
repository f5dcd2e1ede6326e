"""The end of a log, asked of a real server by many pages: what came since, to those who may see it."""

from __future__ import annotations

import os
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.conf import settings

from releases.deploys.models import Run, Step
from tests.factories import make_environment, make_lines, make_project, make_shipment, make_step, make_user
from tests.plugins.real import Broker, Site, session_of

pytestmark = [pytest.mark.broker, pytest.mark.django_db(transaction=True)]


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        return None


def ask(site: Site, run: Run, after: object, session: str = "") -> tuple[int, str, str]:
    """Status, number of the last line, and body."""
    request = urllib.request.Request(f"{site.url}/projects/{run.project.slug}/deploys/{run.pk}/log/?after={after}")
    if session:
        request.add_header("Cookie", f"{settings.SESSION_COOKIE_NAME}={session}")
    try:
        with urllib.request.build_opener(NoRedirect).open(request, timeout=30) as answer:
            return answer.status, answer.headers.get("X-Log-Last", ""), answer.read().decode()
    except urllib.error.HTTPError as refused:
        return refused.code, "", ""


@pytest.fixture
def run(broker: Broker) -> Run:
    return make_shipment(make_environment(make_project("shop")), state="running")


def test_lines_are_told_once_and_by_number(site: Site, run: Run) -> None:
    session = session_of(make_user("ada", "viewer", projects=[run.project]))
    make_step(run, "switch <b>", state=Step.State.RUNNING, first_line=2)
    make_lines(run, "one", "<script>two</script>", "\x1b[31mthree\x1b[0m")
    status, last, body = ask(site, run, 1, session)
    assert (status, last) == (200, "3")
    assert 'id="L1"' not in body
    assert "switch &lt;b&gt;" in body
    assert "&lt;script&gt;two" in body
    assert '<span class="lc-r">three</span>' in body
    assert ask(site, run, 3, session) == (204, "3", "")
    make_lines(run, "four")
    assert "four" in ask(site, run, 3, session)[2], "who asks after a line was written is told of it"


def test_a_flood_is_told_by_its_end(site: Site, run: Run) -> None:
    session = session_of(make_user("ada", "viewer", projects=[run.project]))
    make_lines(run, "one")
    assert ask(site, run, 0, session)[0] == 200
    make_lines(run, *(f"line {number}" for number in range(2, 3001)))
    status, last, body = ask(site, run, 1, session)
    assert (status, last) == (200, "3000")
    assert body.count("<li id=") == 500
    assert "2,499 lines in between" in body
    assert ask(site, run, 2990, session)[2].count("<li id=") == 10


def test_it_is_for_those_who_see_the_project(site: Site, run: Run) -> None:
    make_lines(run, "secret")
    stranger = session_of(make_user("stranger", "administrator"))
    assert ask(site, run, 0, stranger)[0] == 404
    assert ask(site, run, 0)[0] == 302
    assert ask(site, run, 0, "no-such-session")[0] == 302
    member = session_of(make_user("ada", "viewer", projects=[run.project]))
    assert ask(site, run, "x", member)[0] == 200, "an odd number is answered by the ordinary view"


@pytest.mark.long
def test_two_hundred_pages_cost_little(site: Site, run: Run) -> None:
    """The same lines for all: what one page costs is a lookup, not a query and a template."""
    session = session_of(make_user("ada", "viewer", projects=[run.project]))
    make_lines(run, *(f"line {number}" for number in range(400)))
    ask(site, run, 0, session)
    before = cpu_of(site.pid)
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda number: ask(site, run, number % 400, session)[0], range(400)))
    spent = (cpu_of(site.pid) - before) / len(answers)
    assert set(answers) == {200}
    assert spent < 0.003, f"{spent * 1000:.2f} ms of processor time for each answer"


def cpu_of(pid: int) -> float:
    """Seconds of processor time that this process has used."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
