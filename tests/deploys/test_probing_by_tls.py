"""Probes over https, against real TLS servers in this process with certificates that the test makes."""

from __future__ import annotations

import ipaddress
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from releases.deploys.probing import Seen, probe
from tests.factories import make_environment, make_project

from .servers import served, text

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


@dataclass
class Authority:
    """An authority of the test's own, and the folder in which its files lie."""

    folder: Path

    def __post_init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.certificate = self._signed("The shop's authority", self.key.public_key(), authority=True)
        self.bundle = self.folder / "authority.pem"
        self.bundle.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))

    def _signed(self, name: str, key: Any, *, authority: bool = False, **how: Any) -> x509.Certificate:
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        issuer = subject if authority or how.get("by_itself") else self.certificate.subject
        until = how.get("until", datetime.now(UTC) + 30 * DAY)
        made = (
            x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key)
            .serial_number(x509.random_serial_number()).not_valid_before(until - 60 * DAY).not_valid_after(until)
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        )  # fmt: skip
        if names := how.get("names"):
            made = made.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return made.sign(how.get("by_itself") or self.key, hashes.SHA256())

    def server(self, *, address: str = "127.0.0.1", by_itself: bool = False, **how: Any) -> ssl.SSLContext:
        """What a server needs that shows a certificate for this address."""
        key = ec.generate_private_key(ec.SECP256R1())
        names = [x509.IPAddress(ipaddress.ip_address(address))]
        made = self._signed("shop", key.public_key(), names=names, by_itself=key if by_itself else None, **how)
        plain = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        file = self.folder / f"server-{len(list(self.folder.iterdir()))}.pem"
        file.write_bytes(plain + made.public_bytes(serialization.Encoding.PEM))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@contextmanager
def encrypted(context: ssl.SSLContext) -> Iterator[str]:
    """A server that speaks TLS alone; gives its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            text('{"commit": "41b9c07"}')(self)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            """A handshake that was broken off is what some tests are about."""

        def finish_request(self, request: Any, client: Any) -> None:
            with context.wrap_socket(request, server_side=True) as line:
                super().finish_request(line, client)

    server = Server(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"https://127.0.0.1:{server.server_address[1]}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def asked(url: str, **more: Any) -> Seen:
    data = {"kind": "http-json", "path": "commit", "url": url, "timeout": 5.0} | more
    return probe(make_environment(make_project(operator_path=True), probe=data))


def test_an_authority_of_the_own_house_is_believed_once_it_is_named(authority: Authority, settings: Any) -> None:
    with encrypted(authority.server()) as url:
        seen = asked(url)
        assert (seen.revision, seen.healthy) == ("", False)
        assert seen.error == (
            "Its certificate comes from an authority that this machine does not know. "
            "If it is one of yours, name its certificate in CA_BUNDLE."
        )
        settings.CA_BUNDLE = str(authority.bundle)
        seen = asked(url)
        assert (seen.revision, seen.healthy, seen.error) == ("41b9c07", True, "")
        assert asked(url, health_url=url + "healthz").healthy


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({"until": datetime.now(UTC) - DAY}, "Its certificate has run out."),
        ({"until": datetime.now(UTC) + 61 * DAY}, "Its certificate is not valid yet."),
        ({"address": "10.0.0.1"}, "Its certificate is for another address than the one that was asked."),
        (
            {"by_itself": True},
            "Its certificate is signed by itself alone. If it is one of yours, name it in CA_BUNDLE.",
        ),
    ],
)
def test_what_is_wrong_with_a_certificate_is_said_in_words(
    authority: Authority, settings: Any, how: dict[str, Any], says: str
) -> None:
    settings.CA_BUNDLE = str(authority.bundle)
    with encrypted(authority.server(**how)) as url:
        assert asked(url) == Seen(error=says, took=pytest.approx(0, abs=5))


def test_a_server_that_speaks_no_tls_is_told_of(settings: Any) -> None:
    with served({"/": text("{}")}) as plain:
        said = asked(plain.url.replace("http://", "https://") + "/").error
    assert said.startswith("No encrypted connection came about")
    assert said.endswith("Does it speak https there?")


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_bundle_that_cannot_be_used_is_refused_at_the_start(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "bundle.pem"
    if content is not None:
        file.write_text(content)
    environment = {"CA_BUNDLE": str(file), "DATA_DIR": str(tmp_path), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [sys.executable, "-c", "import hotfixdash.settings"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert f"CA_BUNDLE={file} cannot be used" in done.stderr
