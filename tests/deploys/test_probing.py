"""What a probe finds out by HTTP, and what it refuses to ask: against real servers."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from releases.deploys.models import Environment
from releases.deploys.probing import Probe, Seen, names, probe, probe_check
from releases.deploys.settings_services import secret_set
from tests.factories import make_environment, make_project, make_shipment

from .servers import Served, served, text

pytestmark = pytest.mark.django_db


@pytest.fixture
def server() -> Iterator[Served]:
    with served({}) as here:
        yield here


def asked(server: Served, kind: str = "http-text", *, operator: bool = True, **probe_: Any) -> Seen:
    """What a probe of the server says; by default of its first page."""
    project = make_project(operator_path=operator)
    data = {"kind": kind, "url": server.url + probe_.pop("at", "/"), "timeout": 2.0} | probe_
    assert probe_check(data) == []
    return probe(make_environment(project, probe=data))


# --- what names the revision ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "path", "revision"),
    [
        ('{"version": "1.2.3"}', "version", "1.2.3"),
        ('{"build": {"commit": "41b9c07"}}', "build.commit", "41b9c07"),
        ('{"nodes": [{"rev": "a"}, {"rev": "b"}]}', "nodes.1.rev", "b"),
        ('{"build": 214}', "build", "214"),
    ],
)
def test_a_field_of_json(server: Served, body: str, path: str, revision: str) -> None:
    server.answers["/"] = text(body)
    seen = asked(server, "http-json", path=path)
    assert (seen.revision, seen.healthy, seen.error) == (revision, True, "")
    assert 0 < seen.took < 2


def test_the_whole_text_or_what_fits_a_pattern(server: Served) -> None:
    server.answers["/"] = text("  v1.2.3\n")
    assert asked(server).revision == "v1.2.3"
    server.answers["/"] = text("<p>shop, release 1.2.3 (41b9c07)</p>")
    assert asked(server, pattern=r"release (\S+)").revision == "1.2.3"


def test_a_header(server: Served) -> None:
    server.answers["/"] = text("", X_Revision="41b9c07")
    assert asked(server, "http-header", header="x-revision").revision == "41b9c07"


def test_the_environments_own_address_is_asked_without_another(server: Served) -> None:
    server.answers["/"] = text("v9")
    project = make_project(operator_path=True)
    assert probe(make_environment(project, url=f"{server.url}/", probe={"kind": "http-text"})).revision == "v9"


def test_a_secret_in_a_header_reaches_the_server_and_no_answer(server: Served) -> None:
    def echo(request: BaseHTTPRequestHandler) -> None:
        text(f"v1 {request.headers['Authorization']}")(request)

    server.answers["/"] = echo
    project = make_project(operator_path=True)
    secret_set(project, "PROBE_TOKEN", "s3cret-of-the-probe")
    data = {"kind": "http-text", "url": f"{server.url}/", "headers": {"Authorization": "Bearer ${PROBE_TOKEN}"}}
    assert probe_check(data) != []  # The secret must be named, so that it is known to be one.
    seen = probe(make_environment(project, probe=data | {"secrets": ["PROBE_TOKEN"]}))
    assert server.asked[0][1]["Authorization"] == "Bearer s3cret-of-the-probe"
    assert seen.revision == "v1 Bearer ***"


def test_a_secret_that_is_not_stored_is_said(server: Served) -> None:
    seen = asked(server, headers={"X": "${NONE_SUCH}"}, secrets=["NONE_SUCH"])
    assert "NONE_SUCH" in seen.error
    assert server.asked == []


# --- health -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("status", "healthy"), [(200, True), (204, True), (500, False), (404, False)])
def test_without_a_health_address_the_first_answers_status_counts(server: Served, status: int, healthy: bool) -> None:
    server.answers["/"] = text("v1" if status != 204 else "", status, X_Rev="v1")
    seen = asked(server, "http-header", header="X-Rev")
    assert (seen.revision, seen.healthy) == ("v1", healthy)
    assert (str(status) in seen.error) is not healthy


def test_a_health_address_of_its_own(server: Served) -> None:
    server.answers |= {"/": text("v1", 500), "/up": text("", 200), "/down": text("", 503)}
    assert asked(server, health_url=f"{server.url}/up").healthy
    down = asked(server, health_url=f"{server.url}/down")
    assert (down.revision, down.healthy, down.error) == ("v1", False, "It answers with status 503.")
    assert asked(server, health_url=f"{server.url}/down", health_status=503).healthy
    assert not asked(server, health_url=f"{server.url}/up", health_status=503).healthy


# --- what is no answer ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "path", "why"),
    [
        ("<html>", "version", "not JSON"), ("{}", "version", "no field version"), ('{"a": []}', "a.0", "no field"),
        ('{"a": {}}', "a", "no text"), ('{"a": null}', "a", "no text"), ('{"a": true}', "a", "no text"),
        ('{"a": ""}', "a", "empty"), ("[" * 50_000, "a", "not JSON"),
    ],
)  # fmt: skip
def test_answers_that_name_nothing(server: Served, body: str, path: str, why: str) -> None:
    server.answers["/"] = text(body)
    seen = asked(server, "http-json", path=path)
    assert (seen.revision, seen.healthy) == ("", False)
    assert why in seen.error


def test_a_missing_header_and_a_pattern_that_does_not_fit(server: Served) -> None:
    server.answers["/"] = text("nothing")
    assert "no header X-Rev" in asked(server, "http-header", header="X-Rev").error
    assert "pattern" in asked(server, pattern=r"v\d+").error


def test_a_revision_is_one_line_of_bounded_length(server: Served) -> None:
    server.answers["/"] = text("a\x00\x1b[31m\nb" + "c" * 1000)
    seen = asked(server)
    assert len(seen.revision) == 250
    assert seen.revision.startswith("a [31m b")


def test_too_large_an_answer_is_not_read(server: Served) -> None:
    server.answers["/"] = text(b"v" * (3 << 20))
    assert "larger than 1 MB" in asked(server).error


def test_nobody_listens() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        assert asked(Served(taken.getsockname()[1])).error == "Nothing listens there."


def test_what_is_not_http() -> None:
    with Raw(b"SSH-2.0-OpenSSH_9\r\n\r\n") as server:
        assert asked(server).error == "What came back is not HTTP."


# --- time -------------------------------------------------------------------------------------------------------------


class Raw:
    """A server that sends what it is given, byte by byte with pauses when told so, and never ends by itself."""

    def __init__(self, data: bytes, pause: float = 0.0) -> None:
        self.data, self.pause = data, pause
        self.listener = socket.create_server(("127.0.0.1", 0))

    def __enter__(self) -> Served:
        threading.Thread(target=self._serve, daemon=True).start()
        return Served(self.listener.getsockname()[1])

    def _serve(self) -> None:
        try:
            line, _address = self.listener.accept()
            with line:
                line.recv(4096)
                for byte in self.data:
                    line.sendall(bytes([byte]))
                    time.sleep(self.pause)
                if self.pause:
                    time.sleep(60)
        except OSError:
            pass

    def __exit__(self, *error: object) -> None:
        self.listener.close()


@pytest.mark.parametrize(
    "data",
    [b"x", b"HTTP/1.1 200 OK\r\nX-A: " + b"a" * 1000, b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + b"v" * 1000],
    ids=["silent", "drips its headers", "drips its body"],
)
def test_the_time_limit_holds_for_everything_together(data: bytes) -> None:
    with Raw(data, pause=0.05) as server:
        begun = time.monotonic()
        seen = asked(server, timeout=0.5)
        assert time.monotonic() - begun < 10
        assert (seen.error, seen.healthy) == ("It did not answer in time.", False)


# --- where it goes ----------------------------------------------------------------------------------------------------


def test_a_private_address_is_asked_only_where_it_may_be(server: Served, settings: Any) -> None:
    server.answers["/"] = text("v1")
    refused = asked(server, operator=False)
    assert "private network" in refused.error
    assert server.asked == []
    settings.GIT_ALLOW_PRIVATE_HOSTS = ["127.0.0.0/8"]
    assert asked(server, operator=False).revision == "v1"


def test_a_redirect_on_the_same_host_is_followed(server: Served) -> None:
    server.answers |= {"/": text("", 302, Location="/there"), "/there": text("v1")}
    assert asked(server).revision == "v1"
    assert server.paths() == ["/", "/there"]


@pytest.mark.parametrize(
    "where", ["http://127.0.0.2:{port}/", "//localhost:{port}/", "http://127.0.0.1:1/", "file:///etc/passwd"]
)
def test_a_redirect_elsewhere_is_not(server: Served, where: str) -> None:
    server.answers["/"] = text("", 302, Location=where.format(port=server.port))
    seen = asked(server)
    assert "other hosts are not followed to" in seen.error
    assert server.paths() == ["/"]


def test_redirects_in_a_circle_end(server: Served) -> None:
    server.answers["/"] = text("", 302, Location="/")
    assert asked(server).error == "It redirects again and again."
    assert len(server.asked) == 4


@pytest.mark.parametrize("url", ["ftp://a/", "http://", "http://me@127.0.0.1/", "http://127.0.0.1:99999/", "nonsense"])
def test_addresses_that_are_none(url: str) -> None:
    environment = make_environment(make_project(operator_path=True), probe={"kind": "http-text", "url": url})
    assert "ddress" in probe(environment).error or "host" in probe(environment).error


# --- how it is written down -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        ({"kind": "telepathy"}, "one of"), ({}, ""), ({"url": "https://a/"}, "needs a kind"),
        ({"kind": "http-text"}, "needs an address"), ({"kind": "http-json", "url": "https://a/"}, "which field"),
        ({"kind": "http-header", "url": "https://a/"}, "which header"), ({"kind": "command"}, "needs a command"),
        ({"kind": "http-text", "url": "https://a/", "pattern": "("}, "regular expression"),
        ({"kind": "http-text", "url": "https://a/", "timeout": 600}, "time limit"),
        ({"kind": "http-text", "url": "https://a/", "health_url": "a"}, "health"),
        ({"kind": "http-text", "url": "https://a/", "health_status": 7}, "status"),
        ({"kind": "http-text", "url": "https://a/", "headers": {"A\nB": "c"}}, "header"),
        ({"kind": "http-text", "url": "https://a/", "colour": "red"}, "no “colour”"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_probe_is_said(data: dict[str, Any], problem: str) -> None:
    found = probe_check(data)
    assert (problem in " ".join(found)) if problem else not found


def test_a_probe_survives_being_stored() -> None:
    how = Probe("http-json", "https://a/", path="v", headers={"A": "b"}, secrets=("C",))
    environment = make_environment(make_project(), probe=how.as_data())
    assert Probe.from_data(Environment.objects.get(pk=environment.pk).probe) == how


@pytest.mark.parametrize(
    ("revision", "same"),
    [
        ("v1.0.1", True), ("1.0.1", True), ("COMMIT", True), ("COMMIT7", True), ("sha256:abc", True),
        ("registry/shop@sha256:abc", True), ("v1.0.10", False), ("1.0", False), ("", False), ("COMMIT6", False),
        ("0000000", False),
    ],
)  # fmt: skip
def test_a_revision_is_a_commit_a_tag_a_version_or_a_digest(revision: str, same: bool) -> None:
    run = make_shipment(make_environment(make_project()), "v1.0.1", digest="sha256:abc")
    given = {"COMMIT": run.commit, "COMMIT7": run.commit[:7], "COMMIT6": run.commit[:6]}.get(revision, revision)
    assert names(given, run) is same
