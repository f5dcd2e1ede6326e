"""The app host: keeps applications running, follows what is switched, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from http.client import HTTPException
from pathlib import Path
from typing import Any

import pytest

from releases.demo.places import HOST, TO_SHIP, Place, places, port_choose, port_free

REPOSITORY = Path(__file__).resolve().parents[2]
_MAIN = """
import os
from http.server import BaseHTTPRequestHandler, HTTPServer

class Answer(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/die":
            os._exit(3)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(f"{open('VERSION').read()} {os.getpid()}".encode())

HTTPServer((os.environ["HOST"], int(os.environ["PORT"])), Answer).serve_forever()
"""


def slot(place: Place, version: str) -> None:
    """Unpack a version and switch over to it, as the deploy steps do."""
    folder = place.folder / "slots" / version
    (folder / "shop").mkdir(parents=True)
    (folder / "shop" / "__init__.py").touch()
    (folder / "shop" / "__main__.py").write_text(_MAIN)
    (folder / "VERSION").write_text(version)
    (place.folder / "next").symlink_to(f"slots/{version}")
    (place.folder / "next").rename(place.folder / "current")


def says(place: Place, path: str = "") -> tuple[str, int]:
    """Version and process id that answer; ("", 0) when nobody does."""
    try:
        with urllib.request.urlopen(f"{place.url}{path}", timeout=2) as answer:
            version, _, pid = answer.read().decode().partition(" ")
    except (OSError, HTTPException):
        return "", 0
    # One that is ended in the middle of an answer has said nothing.
    return (version, int(pid)) if pid else ("", 0)


def until(true: Callable[[], Any], seconds: float = 30.0) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.05)
    return found


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "apps"


@pytest.fixture
def place(root: Path) -> Place:
    place = Place(root / "shop" / "production", port_choose(root, ()), "shop")
    place.write()
    return place


@pytest.fixture
def host(root: Path, place: Place) -> Iterator[subprocess.Popen[str]]:
    with started(root) as process:
        yield process


class started:  # noqa: N801 - reads as a verb
    """The app host as a process of its own, ended with the block."""

    def __init__(self, root: Path, *ship: str) -> None:
        command = [sys.executable, "-m", "releases.demo.app_host", str(root), *ship]
        self.process = subprocess.Popen(
            command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def __enter__(self) -> subprocess.Popen[str]:
        return self.process

    def __exit__(self, *error: object) -> None:
        self.process.terminate()
        self.process.communicate(timeout=20)


def test_it_starts_what_current_leads_to_and_follows_it(host: subprocess.Popen[str], place: Place) -> None:
    assert says(place) == ("", 0)
    slot(place, "v1")
    _version, old = until(lambda: (found := says(place))[0] == "v1" and found)
    slot(place, "v2")
    until(lambda: says(place)[0] == "v2")
    assert gone(old)


def test_one_that_ends_by_itself_is_started_again(host: subprocess.Popen[str], place: Place) -> None:
    slot(place, "v1")
    _version, old = until(lambda: (found := says(place))[0] == "v1" and found)
    says(place, "die")
    _version, new = until(lambda: (found := says(place))[0] == "v1" and found)
    assert new != old


def test_it_is_started_anew_when_somebody_asks(host: subprocess.Popen[str], place: Place) -> None:
    slot(place, "v1")
    _version, old = until(lambda: (found := says(place))[0] == "v1" and found)
    (place.folder / "restart").touch()
    until(lambda: says(place)[1] not in (0, old))
    assert gone(old)


def test_a_place_that_is_removed_is_ended_and_a_link_out_of_it_is_not_followed(
    host: subprocess.Popen[str], place: Place, tmp_path: Path
) -> None:
    slot(place, "v1")
    _version, pid = until(lambda: (found := says(place))[0] == "v1" and found)
    (place.folder / "next").symlink_to(tmp_path)
    (place.folder / "next").rename(place.folder / "current")
    until(lambda: gone(pid))
    (place.folder / "app.json").unlink()
    time.sleep(0.3)
    assert host.poll() is None


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_all_end_with_it(root: Path, place: Place, number: signal.Signals) -> None:
    with started(root) as host:
        slot(place, "v1")
        _version, pid = until(lambda: (found := says(place))[0] == "v1" and found)
        host.send_signal(number)
        assert host.wait(20) == 0
        assert gone(pid)
    assert port_free(place.port)


def test_an_application_that_does_not_start_does_not_keep_the_others_from_it(root: Path, place: Place) -> None:
    broken = Place(root / "shop" / "staging", port_choose(root, (place.port,)), "nonsense")
    broken.write()
    with started(root):
        slot(broken, "v1")
        slot(place, "v1")
        until(lambda: says(place)[0] == "v1")
    assert "No module named nonsense" in (broken.folder / "app.log").read_text()


def test_a_port_that_somebody_else_took_meanwhile_is_left_to_them(root: Path, place: Place) -> None:
    slot(place, "v1")
    with socket.create_server((HOST, place.port)), started(root):
        moved = until(lambda: next((found for found in places(root) if found.port != place.port), None))
        until(lambda: says(moved)[0] == "v1")
    assert (root / TO_SHIP).exists()  # So that the dashboard learns of it.


def test_the_first_releases_are_shipped_beside_and_tried_again_until_they_are(root: Path, place: Place) -> None:
    mark = root / TO_SHIP
    mark.touch()
    script = (
        "import pathlib, sys; log = pathlib.Path(sys.argv[1]); n = len(log.read_text()) if log.exists() else 0; "
        "log.write_text('x' * (n + 1)); n < 1 and sys.exit(1); pathlib.Path(sys.argv[2]).unlink()"
    )
    log = root / "times"
    with started(root, sys.executable, "-c", script, str(log), str(mark)) as host:
        until(lambda: not mark.exists())
        time.sleep(0.5)
        assert host.poll() is None
    assert log.read_text() == "xx"


def test_ports_are_chosen_free_apart_and_differently_for_each_folder(tmp_path: Path) -> None:
    one = port_choose(tmp_path / "a", ())
    assert one == port_choose(tmp_path / "a", ())
    assert port_choose(tmp_path / "a", (one,)) != one
    with socket.create_server((HOST, one)):
        assert port_choose(tmp_path / "a", ()) != one
    assert len({port_choose(tmp_path / str(n), ()) for n in range(20)}) > 15


def test_what_is_no_place_is_passed_over(root: Path, place: Place) -> None:
    for name, text in (("a", "{"), ("b", "[]"), ("c", json.dumps({"port": "x", "package": "y"}))):
        (root / "shop" / name).mkdir()
        (root / "shop" / name / "app.json").write_text(text)
    assert list(places(root)) == [place]
