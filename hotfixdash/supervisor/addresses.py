"""Where the dashboard listens, and whether that place is free."""

from __future__ import annotations

import ipaddress
import socket
from pathlib import Path

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
    for family, kind, protocol, _, address in found:
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(address)
            except OSError as error:
                raise PortTaken(_why(host, port, error)) from error


def _why(host: str, port: int, error: OSError) -> str:
    hint = f"Choose another one: PORT={port + 1} make run"
    if isinstance(error, PermissionError):
        return f"Port {port} on {host} needs more rights than this user has. {hint}"
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
