"""One bounded question by HTTP: only to addresses that were checked, never on to another host, never for long."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

from django.conf import settings

from releases.git.errors import GitError
from releases.git.remotes import RemotePolicy

LARGEST = 1 << 20
"""Bytes of an answer's body that are read."""
MOST_REDIRECTS = 3
_PORTS = {"http": 80, "https": 443}
_UNKNOWN = "this machine does not know. If it is one of yours, name its certificate in CA_BUNDLE."
_CERTIFICATES = {
    9: "Its certificate is not valid yet.",
    10: "Its certificate has run out.",
    18: "Its certificate is signed by itself alone. If it is one of yours, name it in CA_BUNDLE.",
    19: f"Its certificate comes from an authority that {_UNKNOWN}",
    20: f"Its certificate comes from an authority that {_UNKNOWN}",
    21: f"Its certificate comes from an authority that {_UNKNOWN}",
    62: "Its certificate is for another name than the one that was asked.",
    64: "Its certificate is for another address than the one that was asked.",
}
"""What OpenSSL finds wrong with a certificate, by its own numbers, in words."""


class NoAnswer(Exception):
    """Nothing that could be used came back; the message is a sentence."""


@dataclass(frozen=True, slots=True)
class Answered:
    """What came back. Names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def ask(
    url: str, policy: RemotePolicy, *, timeout: float, headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
) -> Answered:  # fmt: skip
    """GET this address, or POST `body` to it, in `timeout` seconds for everything together. Raises `NoAnswer`.

    A redirect of a GET is followed on the same host only; the host is looked up and checked again each time, and the
    connection goes to the address that was checked. What was posted is never sent on to another address.
    """
    deadline = time.monotonic() + timeout
    for _ in range(MOST_REDIRECTS + 1):
        answered = _once(url, policy, deadline, headers or {}, body)
        if body is not None:
            return answered
        where = answered.headers.get("location", "")
        if answered.status not in (301, 302, 303, 307, 308) or not where:
            return answered
        url = _onward(url, where)
    raise NoAnswer("It redirects again and again.")


def _onward(url: str, where: str) -> str:
    """Where a redirect leads, when that is the same host by a way that is no weaker."""
    try:
        old, new = urlsplit(url), urlsplit(urljoin(url, where))
        ports = [part.port or _PORTS.get(part.scheme, 0) for part in (old, new)]
    except ValueError:
        raise NoAnswer("It redirects to an address that is not well-formed.") from None
    upgraded = (old.scheme, new.scheme) == ("http", "https")
    if new.hostname != old.hostname or (not upgraded and (new.scheme != old.scheme or ports[0] != ports[1])):
        raise NoAnswer(f"It redirects to {new.scheme}://{new.netloc}, and other hosts are not followed to.")
    return new.geturl()


def _once(url: str, policy: RemotePolicy, deadline: float, headers: Mapping[str, str], body: bytes | None) -> Answered:
    host, port, secure, path = _parts(url)
    try:
        addresses = policy.check_host(host, "https" if secure else "http")
    except GitError as error:
        raise NoAnswer(error.sentence) from None
    failed: Exception | None = None
    for address in addresses:
        link: _Pinned | None = None
        try:
            link = _Pinned(host, port, address, secure, deadline)
            return _exchange(link, path, headers, body, deadline)
        except (OSError, http.client.HTTPException, ValueError) as error:
            failed = error
            # What was posted over a connection that stood may have arrived: it is not posted to a second address.
            if time.monotonic() >= deadline or (body is not None and link is not None and link.line is not None):
                break
    raise NoAnswer(_why(failed, late=time.monotonic() >= deadline))


def _parts(url: str) -> tuple[str, int, bool, str]:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise NoAnswer("Its address is not well-formed.") from None
    if parts.scheme not in _PORTS or not host or parts.username is not None:
        raise NoAnswer("Its address must begin with https:// or http:// and hold no user name.")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return host, port or _PORTS[parts.scheme], parts.scheme == "https", path


class _Pinned(http.client.HTTPConnection):
    """A connection to an address that was checked, under the name that was typed."""

    def __init__(self, host: str, port: int, address: str, secure: bool, deadline: float) -> None:
        super().__init__(host, port, timeout=_left(deadline))
        self.address = address
        self.secure = secure
        self.line: socket.socket | None = None
        """Kept beside `sock`, which the library lets go as soon as the answer begins."""
        if secure:
            self.default_port = _PORTS["https"]

    def connect(self) -> None:
        self.sock = self.line = socket.create_connection((self.address, self.port), self.timeout)
        if self.secure:
            context = ssl.create_default_context()
            if settings.CA_BUNDLE:
                context.load_verify_locations(cafile=settings.CA_BUNDLE)
            # The handshake comes after the assignment, so that whoever watches the time can end it, too.
            wrapped = context.wrap_socket(self.sock, server_hostname=self.host, do_handshake_on_connect=False)
            self.sock = self.line = wrapped
            wrapped.do_handshake()

    def cut(self) -> None:
        """End it from another thread: whoever waits for it wakes up."""
        if self.line is not None:
            with suppress(OSError):
                self.line.shutdown(socket.SHUT_RDWR)


def _exchange(link: _Pinned, path: str, headers: Mapping[str, str], sent: bytes | None, deadline: float) -> Answered:
    # A limit on each read alone would let a server that sends a byte now and then hold us for hours.
    timer = threading.Timer(_left(deadline), link.cut)
    timer.daemon = True
    timer.start()
    try:
        own = {"Accept-Encoding": "identity", "User-Agent": "Hotfixdash", "Connection": "close"}
        link.request("GET" if sent is None else "POST", path, body=sent, headers={**own, **headers})
        response = link.getresponse()
        body = response.read(LARGEST + 1)
        if time.monotonic() >= deadline:
            raise TimeoutError
        if len(body) > LARGEST:
            raise NoAnswer(f"Its answer is larger than {LARGEST >> 20} MB.")
        return Answered(response.status, {name.lower(): value for name, value in response.getheaders()}, body)
    finally:
        timer.cancel()
        link.close()


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _why(error: Exception | None, *, late: bool) -> str:
    if late or isinstance(error, TimeoutError):
        return "It did not answer in time."
    if isinstance(error, ConnectionRefusedError):
        return "Nothing listens there."
    if isinstance(error, ssl.SSLCertVerificationError):
        said = error.verify_message.rstrip(".")
        return _CERTIFICATES.get(error.verify_code) or f"Its certificate does not hold: {said}."
    if isinstance(error, ssl.SSLError):
        reason = (error.reason or "").replace("_", " ").lower()
        return f"No encrypted connection came about{f': {reason}' if reason else ''}. Does it speak https there?"
    if isinstance(error, OSError) and error.strerror:
        return f"It could not be reached: {error.strerror}."
    return "What came back is not HTTP."
