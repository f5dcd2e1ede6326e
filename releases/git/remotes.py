"""Which addresses may be fetched from: https and ssh to public hosts, and local folders below allowed roots.

An address is checked when it is typed and again right before each fetch, because names resolve differently over
time. The addresses that were checked are pinned for that fetch, so that a second look-up cannot lead elsewhere.
"""

from __future__ import annotations

import ipaddress
import os
import re
import socket
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import unquote, urlsplit

from .errors import NotARepository, Unreachable, UrlNotAllowed
from .values import RemoteUrl, shown

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolver = Callable[[str], Sequence[str]]

_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?\.?\Z")
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*\Z")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_HELPER = re.compile(r"[A-Za-z0-9][A-Za-z0-9+.-]*::")
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
LOOK_UP_TIMEOUT = 10.0
"""Seconds in which a host name must be found."""
_PORTS = {"https": 443, "http": 80, "ssh": 22}


@dataclass(frozen=True, slots=True)
class Remote:
    """An address taken apart. `protocol` is https, http, ssh or file; `path` is what stands behind the host."""

    protocol: str
    path: str
    host: str = ""
    port: int | None = None
    user: str = ""


@dataclass(frozen=True, slots=True)
class Checked:
    """An address that may be fetched from now: `url` is what git gets."""

    url: str
    protocol: str
    host: str = ""
    port: int | None = None
    addresses: tuple[str, ...] = ()

    def config(self) -> list[tuple[str, str]]:
        """Configuration that pins the host to the addresses that were checked (https and http)."""
        if self.protocol not in ("https", "http") or not self.addresses or _is_numeric(self.host):
            return []
        port = self.port or _PORTS[self.protocol]
        where = ",".join(f"[{address}]" if ":" in address else address for address in self.addresses)
        return [("http.curloptResolve", f"{self.host}:{port}:{where}")]

    def ssh_options(self) -> list[str]:
        """The same for ssh; the host key is still looked up under the name that was typed."""
        if self.protocol != "ssh" or not self.addresses:
            return []
        return ["-o", f"HostName={self.addresses[0]}", "-o", f"HostKeyAlias={self.host}"]


def resolve_host(host: str) -> Sequence[str]:
    """Every address of a host name, numeric spellings (decimal, hex, octal) included. Raises OSError.

    The system's look-up has no bound on time, so it runs aside; a page or a worker does not wait for it for ever.
    """
    found: list[str] = []
    failed: list[BaseException] = []

    def look_up() -> None:
        try:
            for entry in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM):
                found.append(str(entry[4][0]).partition("%")[0])
        except (OSError, UnicodeError) as error:
            failed.append(error)

    thread = threading.Thread(target=look_up, daemon=True)
    thread.start()
    thread.join(LOOK_UP_TIMEOUT)
    if failed or not found:
        raise OSError(f"no address for {host}")
    return list(dict.fromkeys(found))


def _behind_proxy() -> bool:
    return any(os.environ.get(name) for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"))


def _is_numeric(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _innermost(address: Address) -> Address:
    """The IPv4 address inside an IPv6 one (mapped, 6to4, NAT64, Teredo), else the address itself."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return address.ipv4_mapped
        if address.sixtofour:
            return address.sixtofour
        if address.teredo:
            return address.teredo[1]
        if address in _NAT64 or int(address) >> 32 == 0:
            return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def _is_public(address: Address) -> bool:
    inner = _innermost(address)
    return inner.is_global and not inner.is_multicast and not inner.is_reserved


def split_remote(text: str) -> Remote:
    """Take an address apart without asking anybody. Raises InvalidValue and UrlNotAllowed."""
    url = RemoteUrl.parse(text)
    if _HELPER.match(url):
        raise UrlNotAllowed(f"{shown(url)} names a transport helper, and those are never run. Use https or ssh.")
    scheme = _SCHEME.match(url)
    if scheme:
        return _split_url(url, scheme.group(1).lower())
    before = url.partition("/")[0]
    if ":" in before:
        return _split_scp(url)
    return Remote("file", str(url))


def _split_url(url: str, scheme: str) -> Remote:
    if scheme == "file":
        authority, slash, path = url[len("file://") :].partition("/")
        if authority not in ("", "localhost") or not slash:
            raise UrlNotAllowed(f"{shown(url)} does not name a local folder. Write file:///path/to/repository.")
        return Remote("file", "/" + unquote(path))
    if scheme not in ("https", "http", "ssh"):
        raise UrlNotAllowed(f"Addresses of the kind {shown(scheme + '://')} are not fetched from. Use https or ssh.")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise UrlNotAllowed(f"{shown(url)} is not a well-formed address.") from None
    _refuse_credentials(scheme, parts.username, parts.password)
    if parts.query or parts.fragment or "\\" in url:
        raise UrlNotAllowed("The address of a repository has no “?”, “#” or “\\”.")
    _check_host(host)
    if scheme == "ssh" and parts.username is not None:
        _check_user(parts.username)
    if not parts.path.strip("/"):
        raise UrlNotAllowed("The address lacks the path of the repository.")
    return Remote(scheme, parts.path, host, port, parts.username or "")


def _refuse_credentials(scheme: str, username: str | None, password: str | None) -> None:
    if password is not None or (username is not None and scheme != "ssh"):
        raise UrlNotAllowed(
            "The address holds a user name or password. Leave it out and set the credential in the project's "
            "settings, where it is kept encrypted."
        )


def _split_scp(url: str) -> Remote:
    """The short ssh form: user@host:path."""
    where, _, path = url.partition(":")
    user, at, host = where.rpartition("@")
    if at:
        _check_user(user)
    _check_host(host)
    if not path.strip("/") or path.startswith("-"):
        raise UrlNotAllowed("The address lacks the path of the repository.")
    return Remote("ssh", path, host, None, user)


def _check_host(host: str) -> None:
    if ":" in host and _is_numeric(host):
        return
    if not _HOST.match(host):
        raise UrlNotAllowed(f"{shown(host)} is not a host name.")


def _check_user(user: str) -> None:
    if not _USER.match(user):
        raise UrlNotAllowed(f"{shown(user)} is not a user name for ssh.")


@dataclass(frozen=True, slots=True)
class RemotePolicy:
    """What an installation allows.

    `roots` are local folders below which repositories may be tracked; `private_hosts` are host names or networks
    (CIDR) on private addresses that may be named, also by http; `operator` is the command line of whoever runs the
    installation: any local path, private addresses too. `through_proxy`: https goes through a proxy, which then looks
    up the names that are unknown here. `local_only`: nothing but a folder below `roots`, whatever else is allowed.
    """

    roots: tuple[str, ...] = ()
    private_hosts: tuple[str, ...] = ()
    operator: bool = False
    local_only: bool = False
    through_proxy: bool = field(default_factory=_behind_proxy)
    resolver: Resolver = field(default=resolve_host, compare=False)

    def check(self, text: str) -> Checked:
        """The address to fetch from, or UrlNotAllowed, InvalidValue, Unreachable, NotARepository with a sentence."""
        remote = split_remote(text)
        if remote.protocol == "file":
            return self._check_local(remote.path)
        if self.local_only:
            raise UrlNotAllowed("A throw-away copy speaks to no other repository than its own, on this machine.")
        addresses = self._check_addresses(remote)
        if remote.protocol == "http" and not (self.operator or self._named(remote.host, addresses)):
            raise UrlNotAllowed("Plain http is not fetched from, since anybody on the way could change it. Use https.")
        url = str(RemoteUrl.parse(text))
        return Checked(url, remote.protocol, remote.host, remote.port, tuple(addresses))

    def check_host(self, host: str, protocol: str = "https") -> list[str]:
        """The addresses under which this host may be asked now, by the same rules; the caller connects to no other.

        Raises UrlNotAllowed and Unreachable with a sentence.
        """
        _check_host(host)
        addresses = replace(self, through_proxy=False)._check_addresses(Remote(protocol, "/", host))
        if protocol == "http" and not (self.operator or self._named(host, addresses)):
            raise UrlNotAllowed("Plain http is not asked, since anybody on the way could change the answer. Use https.")
        return addresses

    def _check_addresses(self, remote: Remote) -> list[str]:
        if self.operator and remote.protocol == "ssh":
            return []  # the operator's own ssh configuration may know the name
        try:
            addresses = list(self.resolver(remote.host))
        except (OSError, UnicodeError):
            if self.through_proxy and remote.protocol == "https":
                return []
            raise Unreachable(
                f"The host name {shown(remote.host)} is not known. Check the address; it is tried again."
            ) from None
        if self.operator or self._named(remote.host, addresses):
            return addresses
        for address in addresses:
            if not _is_public(ipaddress.ip_address(address)) and not self._in_network(address):
                raise UrlNotAllowed(
                    f"{shown(remote.host)} is on a private network, which is not fetched from. "
                    "An administrator can allow it with GIT_ALLOW_PRIVATE_HOSTS."
                )
        return addresses

    def _named(self, host: str, addresses: Sequence[str]) -> bool:
        names = {entry.lower().rstrip(".") for entry in self.private_hosts if "/" not in entry}
        if host.lower().rstrip(".") in names:
            return True
        return bool(addresses) and all(self._in_network(address) for address in addresses)

    def _in_network(self, text: str) -> bool:
        address = ipaddress.ip_address(text)
        candidates = (address, _innermost(address))
        for entry in self.private_hosts:
            try:
                network = ipaddress.ip_network(entry, strict=False)
            except ValueError:
                continue
            if any(candidate.version == network.version and candidate in network for candidate in candidates):
                return True
        return False

    def _check_local(self, path: str) -> Checked:
        if not self.operator:
            if not os.path.isabs(path):
                raise UrlNotAllowed(f"{shown(path)} is neither an address nor the whole path of a folder.")
            self._check_below_roots(path)
        folder = Path(os.path.realpath(os.path.expanduser(path) if self.operator else path))
        if not folder.is_dir():
            raise NotARepository(f"There is no folder {shown(path)}. Check the path.")
        if not self.operator:
            for place in _places(folder):
                self._check_below_roots(place)
        return Checked(str(folder), "file")

    def _check_below_roots(self, path: str) -> None:
        real = Path(os.path.realpath(path))
        if not any(real.is_relative_to(os.path.realpath(root)) for root in self.roots):
            raise UrlNotAllowed(
                f"{shown(path)} lies outside the folders that may be tracked. "
                "An administrator can allow one with GIT_ALLOWED_ROOTS."
            )


def object_folders(folder: Path) -> list[Path]:
    """Where a local repository's objects lie: its own folder and, following alternates, those it borrows from."""
    common = common_dir(folder)
    folders: list[Path] = []
    pending = [common / "objects"]
    while pending and len(folders) < 50:
        objects = pending.pop()
        if objects not in folders:
            folders.append(objects)
            pending += [Path(os.path.normpath(objects / line)) for line in _lines(objects / "info" / "alternates")]
    return folders


def common_dir(folder: Path) -> Path:
    """The folder that holds objects and references of the repository whose work tree or git directory this is."""
    git_dir = _git_dir(folder)
    common = _first_line(git_dir / "commondir")
    return Path(os.path.normpath(git_dir / common)) if common else git_dir


def _places(folder: Path) -> list[str]:
    """Every folder that git would really read for this repository: git dir, common dir, objects, alternates."""
    return [str(place) for place in (_git_dir(folder), common_dir(folder), *object_folders(folder))]


def _git_dir(folder: Path) -> Path:
    dot = folder / ".git"
    if dot.is_file():
        target = _first_line(dot).removeprefix("gitdir:").strip()
        return folder / target if target else dot
    return dot if dot.exists() else folder


def _lines(path: Path) -> list[str]:
    try:
        with path.open("rb") as handle:
            text = handle.read(1 << 16).decode("utf-8", "surrogateescape")
    except OSError:
        return []
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def _first_line(path: Path) -> str:
    return next(iter(_lines(path)), "")
