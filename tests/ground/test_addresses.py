"""Where to listen, said in words when it cannot be done."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from hotfixdash.supervisor.addresses import PortTaken, check_free, is_loopback, listener, shown_address
from hotfixdash.supervisor.prepare import project_name
from hotfixdash.supervisor.sockets import LONGEST, UnsafeFolder, broker_socket, make_folder


@pytest.mark.parametrize(
    ("host", "answer"),
    [
        ("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("[::1]", True), ("localhost", True),
        ("0.0.0.0", False), ("::", False), ("192.0.2.1", False), ("dash.example", False), ("", False),
    ],
)  # fmt: skip
def test_loopback(host: str, answer: bool) -> None:
    assert is_loopback(host) is answer


@pytest.mark.parametrize(
    ("host", "shown"),
    [
        ("127.0.0.1", "http://127.0.0.1:80"), ("0.0.0.0", "http://127.0.0.1:80"), ("::", "http://127.0.0.1:80"),
        ("::1", "http://[::1]:80"), ("dash.example", "http://dash.example:80"),
    ],
)  # fmt: skip
def test_shown_address_can_be_opened(host: str, shown: str) -> None:
    assert shown_address(host, 80) == shown


def test_taken_port_names_who_has_it() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        assert listener(port) == os.getpid()
        with pytest.raises(
            PortTaken, match=rf"Port {port} on 127.0.0.1 is taken by pid {os.getpid()}.*PORT={port + 1}"
        ):
            check_free("127.0.0.1", port)
    check_free("127.0.0.1", port)


def test_address_of_another_machine_is_not_called_taken() -> None:
    with pytest.raises(PortTaken, match="is not an address to listen on"):
        check_free("192.0.2.1", 8000)


def test_unknown_name() -> None:
    with pytest.raises(PortTaken, match=r"HOST=no\.such\.name\.invalid"):
        check_free("no.such.name.invalid", 8000)


def test_short_data_folder_holds_its_socket(tmp_path: Path) -> None:
    assert broker_socket(Path("/srv/hotfixdash/var")) == Path("/srv/hotfixdash/var/run/broker.sock")


def test_deep_data_folders_have_short_sockets_of_their_own() -> None:
    one, two = (broker_socket(Path("/" + "deep/" * 40) / name) for name in ("one", "two"))
    assert one != two
    assert max(len(os.fsencode(path)) for path in (one, two)) <= LONGEST


def test_folder_of_somebody_else_is_not_used(tmp_path: Path) -> None:
    real = tmp_path / "theirs"
    real.mkdir()
    (tmp_path / "link").symlink_to(real)
    with pytest.raises(UnsafeFolder, match="belongs to somebody else"):
        make_folder(tmp_path / "link" / "broker.sock")


def test_open_folder_is_closed(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir(mode=0o755)
    make_folder(tmp_path / "run" / "broker.sock")
    assert (tmp_path / "run").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    ("repository", "name"),
    [
        ("https://git.example.org/team/shop.git", "shop"), ("git@git.example.org:team/shop.git", "shop"),
        ("/srv/git/shop/", "shop"), ("git@git.example.org:shop", "shop"), ("/", "repository"),
    ],
)  # fmt: skip
def test_tracked_repository_is_named_after_its_path(repository: str, name: str) -> None:
    assert project_name(repository) == name
