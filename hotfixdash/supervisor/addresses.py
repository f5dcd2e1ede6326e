"""Where the dashboard listens, and whether that place is free."""

from __future__ import annotations

import errno
import ipaddress
import socket
from pathlib import Path
from typing import Any

EVERYWHERE = {"0.0.0.0", "::", ""}  # noqa: S104


class PortTaken(Exception):
    """Somebody listens on the port already, or it may not be used."""


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a server that listens on `host`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def shown_address(host: str, port: int) -> str:
    """The address to open in a browser on this machine."""
    name = "127.0.0.1" if host in EVERYWHERE else host.strip("[]")
    return f"http://[{name}]:{port}" if ":" in name else f"http://{name}:{port}"


def check_free(host: str, port: int) -> None:
    """Raises `PortTaken` with a sentence when a server could not listen there."""
    bare = host.strip("[]")
    try:
        found = socket.getaddrinfo(bare or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, OverflowError) as error:
        raise PortTaken(f"HOST={host} PORT={port} is not an address to listen on: {error}.") from error
    problems = [(_problem(family, kind, protocol, address)) for family, kind, protocol, _, address in found]
    for problem in problems:
        # A name may stand for addresses that this machine lacks (no IPv6, say) beside one that it has.
        if problem and (problem.errno != errno.EADDRNOTAVAIL or all(problems)):
            raise PortTaken(_why(host, port, problem)) from problem


def _problem(family: int, kind: int, protocol: int, address: Any) -> OSError | None:
    try:
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            probe.bind(address)
    except OSError as error:
        return error
    return None


def _why(host: str, port: int, error: OSError) -> str:
    hint = f"Choose another one: PORT={port + 1 if port < 65535 else 8000} make run"
    if error.errno == errno.EACCES:
        return f"Port {port} on {host} needs more rights than this user has. {hint}"
    if error.errno != errno.EADDRINUSE:
        return f"HOST={host} PORT={port} is not an address to listen on: {error.strerror}."
    owner = listener(port)
    by = f" by pid {owner}" if owner else ""
    return f"Port {port} on {host} is taken{by}. {hint}"


def listener(port: int) -> int | None:
    """The process that listens on a TCP port, where /proc tells; None when it does not."""
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            rows = [line.split() for line in Path(table).read_text().splitlines()[1:]]
        except OSError:
            continue
        inodes |= {
            f"socket:[{row[9]}]" for row in rows if row[3] == "0A" and int(row[1].rpartition(":")[2], 16) == port
        }
    if not inodes:
        return None
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if str(link.readlink()) in inodes:
                return int(link.parts[2])
        except OSError:
            continue
    return None
