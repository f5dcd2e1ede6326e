"""A throw-away PostgreSQL cluster from the installed binaries: own folder, own socket, no TCP port."""

from __future__ import annotations

import atexit
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

URL_VARIABLE = "HOTFIXDASH_TEST_CLUSTER"
UNPRIVILEGED = ("postgres", "nobody")
START_SECONDS = 30


class PostgresMissing(RuntimeError):
    """PostgreSQL is not installed, or did not start."""


def find_binaries() -> Path | None:
    """The folder that holds `initdb` and `postgres`: Debian keeps them off the path, newest version first."""
    found = shutil.which("initdb")
    if found and (Path(found).resolve().parent / "postgres").exists():
        return Path(found).resolve().parent
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: float(p.parent.name), reverse=True)
    return next((folder for folder in folders if (folder / "initdb").exists()), None)


def _owner() -> pwd.struct_passwd | None:
    """PostgreSQL refuses to run as root: somebody else must own the cluster then."""
    if os.geteuid() != 0:
        return None
    for name in UNPRIVILEGED:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise PostgresMissing("no unprivileged user to run PostgreSQL as")


def _as(owner: pwd.struct_passwd | None) -> dict[str, object]:
    clean = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8"}
    if owner is None:
        return {"env": clean}
    return {"env": clean, "user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}


def _initdb(binaries: Path, folder: Path, owner: pwd.struct_passwd | None) -> None:
    made = subprocess.run(
        [binaries / "initdb", "-D", folder / "data", "-U", "hotfixdash", "-A", "trust", "-E", "UTF8", "--no-sync"],
        capture_output=True, text=True, cwd=folder, **_as(owner),  # type: ignore[call-overload]
    )  # fmt: skip
    if made.returncode:
        raise PostgresMissing(f"initdb failed: {made.stderr.strip()}")


def _serve(binaries: Path, folder: Path, owner: pwd.struct_passwd | None) -> subprocess.Popen[bytes]:
    options = {
        "listen_addresses": "", "unix_socket_directories": str(folder), "fsync": "off", "full_page_writes": "off",
        "synchronous_commit": "off", "max_connections": "200", "shared_buffers": "64MB", "logging_collector": "off",
    }  # fmt: skip
    command = [str(binaries / "postgres"), "-D", str(folder / "data")]
    for name, value in options.items():
        command += ["-c", f"{name}={value}"]
    setpriv = shutil.which("setpriv")
    if setpriv:
        # The server ends with the test run, however that ended.
        command = [setpriv, "--pdeathsig", "INT", *command]
    with open(folder / "log", "wb") as log:
        return subprocess.Popen(
            command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=folder, start_new_session=True,
            **_as(owner),  # type: ignore[call-overload]
        )  # fmt: skip


def _wait(binaries: Path, folder: Path, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    ask = [binaries / "pg_isready", "-q", "-h", folder, "-U", "hotfixdash", "-d", "postgres"]
    while subprocess.run(ask, check=False).returncode:
        if server.poll() is not None or time.monotonic() > deadline:
            raise PostgresMissing(f"the server did not start: {(folder / 'log').read_text()[-800:]}")
        time.sleep(0.05)


def start_cluster() -> tuple[str, Callable[[], None]]:
    """A running cluster's DATABASE_URL, and what stops and removes it. Raises `PostgresMissing`."""
    binaries = find_binaries()
    if binaries is None:
        raise PostgresMissing("PostgreSQL is not installed")
    owner = _owner()
    # /tmp, not TMPDIR: a socket's path must stay below 108 characters.
    folder = Path(tempfile.mkdtemp(prefix="hotfixdash-pg-", dir="/tmp"))
    if owner is not None:
        os.chown(folder, owner.pw_uid, owner.pw_gid)
    try:
        _initdb(binaries, folder, owner)
        server = _serve(binaries, folder, owner)
        _wait(binaries, folder, server)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    starter = os.getpid()

    def stop() -> None:
        if os.getpid() != starter:
            return
        server.send_signal(signal.SIGINT)
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()
        shutil.rmtree(folder, ignore_errors=True)

    return f"postgres://hotfixdash@/postgres?host={folder}", stop


def ensure_cluster() -> str:
    """The run's cluster: started by the first process that asks, inherited through the environment by the others."""
    if url := os.environ.get(URL_VARIABLE):
        return url
    url, stop = start_cluster()
    atexit.register(stop)
    os.environ[URL_VARIABLE] = url
    return url


def folder_of(url: str) -> Path:
    """Where a cluster of `start_cluster` lies."""
    return Path(url.partition("host=")[2])


def take_away(url: str) -> None:
    """Stop that cluster's server at once and keep its data: what a database that went away looks like."""
    pid = int((folder_of(url) / "data" / "postmaster.pid").read_text().split()[0])
    os.kill(pid, signal.SIGINT)
    deadline = time.monotonic() + START_SECONDS
    while (folder_of(url) / "data" / "postmaster.pid").exists():
        if time.monotonic() > deadline:
            raise PostgresMissing("the server does not end")
        time.sleep(0.05)


def bring_back(url: str) -> subprocess.Popen[bytes]:
    """Start that cluster's server again; whoever calls this ends it."""
    binaries = find_binaries()
    if binaries is None:
        raise PostgresMissing("PostgreSQL is not installed")
    server = _serve(binaries, folder_of(url), _owner())
    _wait(binaries, folder_of(url), server)
    return server
