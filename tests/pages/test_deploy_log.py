"""The log of a run over HTTP: what came since a line, a window around one, search, all of it as text."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client

from releases.deploys.models import Run
from releases.views.deploy_log import FRESH
from releases.views.logs.reading import FOUND, WINDOW
from tests.factories import make_environment, make_lines, make_project, make_shipment, make_step, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def run(db: None) -> Run:
    return make_shipment(make_environment(make_project("shop")), state="running")


@pytest.fixture
def reader(client: Client, run: Run) -> Client:
    client.force_login(make_user("ada", "engineer", projects=[run.project]))
    return client


def page_of(run: Run, query: str = "") -> str:
    return f"/projects/shop/deploys/{run.pk}/{query}"


def log_of(reader: Client, run: Run, after: int) -> Any:
    return reader.get(f"/projects/shop/deploys/{run.pk}/log/?after={after}")


def numbers(html: str) -> list[int]:
    return [int(number) for number in re.findall(r'<li id="L(\d+)"', html)]


def test_only_what_came_since_is_told(reader: Client, run: Run) -> None:
    make_lines(run, "one", "two")
    make_lines(run, "three")
    answer = log_of(reader, run, 1)
    assert numbers(answer.content.decode()) == [2, 3]
    assert answer["X-Log-Last"] == "3"
    again = log_of(reader, run, 3)
    assert (again.status_code, again.content) == (204, b"")
    assert log_of(reader, run, 9).status_code == 204


def test_a_flood_is_told_by_its_end_with_a_way_to_the_rest(reader: Client, run: Run) -> None:
    make_lines(run, *(f"line {number}" for number in range(1, 2001)))
    body = log_of(reader, run, 0).content.decode()
    assert numbers(body) == list(range(2001 - FRESH, 2001))
    assert f"{2000 - FRESH:,} lines in between" in body
    assert f'href="{page_of(run)}?line=1#L1"' in body


@pytest.mark.parametrize("after", ["", "x", "-1", "1e9", "9" * 40])
def test_an_odd_number_is_no_error(reader: Client, run: Run, after: str) -> None:
    make_lines(run, "one")
    assert reader.get(f"/projects/shop/deploys/{run.pk}/log/?after={after}").status_code in (200, 204)


def test_steps_are_named_where_their_output_begins(reader: Client, run: Run) -> None:
    make_step(run, "unpack <b>", first_line=1)
    make_step(run, "switch", first_line=3)
    make_lines(run, "one", "two", "three")
    body = log_of(reader, run, 0).content.decode()
    assert body.index("unpack &lt;b&gt;") < body.index('id="L1"') < body.index("switch") < body.index('id="L3"')


def test_a_running_log_shows_its_end_and_a_done_one_its_beginning(reader: Client, run: Run) -> None:
    for start in range(0, 3000, 500):
        make_lines(run, *(f"line {number}" for number in range(start + 1, start + 501)))
    assert numbers(reader.get(page_of(run)).content.decode()) == list(range(3001 - WINDOW, 3001))
    Run.objects.filter(pk=run.pk).update(state="done")
    shown = numbers(reader.get(page_of(run)).content.decode())
    assert (shown[0], shown[-1]) == (1, WINDOW)


def test_an_address_leads_to_its_line(reader: Client, run: Run) -> None:
    make_lines(run, *(f"line {number}" for number in range(1, 3001)))
    shown = numbers(reader.get(page_of(run, "?line=1500")).content.decode())
    assert shown[0] < 1500 < shown[-1]
    assert len(shown) == WINDOW


def test_a_number_is_searched_for_like_every_word(reader: Client, run: Run) -> None:
    make_lines(run, *(f"line {number}" for number in range(1, 1001)))
    make_lines(run, "GET /missing 404", "the last one")
    body = reader.get(page_of(run, "?q=404")).content.decode()
    assert "2 lines with “404”" in body
    assert "GET /missing 404" in body
    assert f'<a href="{page_of(run)}?line=404#L404">Go to line 404</a>' in body
    assert "Go to line" not in reader.get(page_of(run, "?q=5000")).content.decode()


@pytest.mark.parametrize("typed", [":404", "%23404", "L404", "+l404+"])
def test_a_sign_before_the_number_leads_to_that_line(reader: Client, run: Run, typed: str) -> None:
    make_lines(run, *(f"number {number}" for number in range(1, 1001)))
    answer = reader.get(page_of(run, f"?q={typed}"))
    assert (answer.status_code, answer["Location"]) == (302, f"{page_of(run)}?line=404#L404")
    assert reader.get(page_of(run, "?q=:9999"))["Location"] == f"{page_of(run)}?line=1000#L1000"


def test_search_finds_lines_through_their_colours(reader: Client, run: Run) -> None:
    make_lines(run, "all is well", "\x1b[31mERR\x1b[0mOR: <b>no</b> disk", "x" * 100)
    body = reader.get(page_of(run, "?q=error%3A")).content.decode()
    assert "1 line with" in body
    assert "ERROR: &lt;b&gt;no&lt;/b&gt; disk" in body
    assert f'href="{page_of(run)}?line=2#L2"' in body
    assert "No line holds" in reader.get(page_of(run, "?q=nothing+like+it")).content.decode()


def test_a_search_with_too_many_results_says_so(reader: Client, run: Run) -> None:
    make_lines(run, *("the same" for _ in range(FOUND + 5)))
    assert f"{FOUND} lines with “same”, the first of more" in reader.get(page_of(run, "?q=same")).content.decode()


def test_the_whole_log_is_text_and_can_be_downloaded(reader: Client, run: Run) -> None:
    make_lines(run, "<script>one</script>", "\x1b[31mtwo\x1b[0m")
    make_lines(run, "three")
    answer = reader.get(f"/projects/shop/deploys/{run.pk}/log.txt")
    assert answer["Content-Type"] == "text/plain; charset=utf-8"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert b"".join(answer.streaming_content) == b"<script>one</script>\n\x1b[31mtwo\x1b[0m\nthree\n"  # type: ignore[attr-defined]
    saved = reader.get(f"/projects/shop/deploys/{run.pk}/log.txt?download=1")
    assert saved["Content-Disposition"].startswith("attachment; filename=")


def test_a_part_of_the_page_brings_no_lines(reader: Client, run: Run) -> None:
    make_lines(run, "one", "two")
    part = reader.get(page_of(run), HTTP_HX_TARGET="run").content.decode()
    assert numbers(part) == []
    assert 'data-last="0"' in part
    assert "<html" not in part


def test_logs_are_for_those_who_see_the_project(client: Client, run: Run) -> None:
    make_lines(run, "secret")
    paths = [page_of(run), f"{page_of(run)}log/?after=0", f"{page_of(run)}log.txt"]
    assert all(client.get(path).status_code == 302 for path in paths)
    client.force_login(make_user("stranger", "administrator"))
    assert all(client.get(path).status_code == 404 for path in paths)
    other = make_project("other")
    client.force_login(make_user("neighbour", "engineer", projects=[other]))
    assert client.get(f"/projects/other/deploys/{run.pk}/log/?after=0").status_code == 404


@pytest.mark.parametrize("lines", [1, 900])
def test_what_came_since_costs_the_same(
    reader: Client, run: Run, lines: int, django_assert_max_num_queries: Any
) -> None:
    make_lines(run, *(f"line {number}" for number in range(lines)))
    log_of(reader, run, 0)
    with django_assert_max_num_queries(7):
        log_of(reader, run, 0)
    with django_assert_max_num_queries(5):
        log_of(reader, run, lines)
