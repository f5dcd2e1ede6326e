"""Requests per second of overview and matrix beside a minimal page, in one run, on SQLite and PostgreSQL.

gunicorn with 2 workers of 8 threads, 8 clients with kept connections, everything on this machine. Rounds of the pages
take turns, so that other work on the machine hits all of them alike; the median round counts.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench.page_load import Load, measure  # noqa: E402
from hotfixdash.supervisor.broker import server_command, wait_until_it_answers  # noqa: E402
from hotfixdash.supervisor.sockets import broker_socket  # noqa: E402
from tests.plugins.postgres import start_cluster  # noqa: E402

PAGES = {
    "minimal": "/bench/minimal/",
    "overview": "/",
    "matrix, all projects": "/merge-back/",
    "matrix, one project": "/projects/service-00/merge-back/",
}
LEAST_RATIO, MOST_P95 = 0.4, 150.0


@contextmanager
def running(command: list[str], environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(10)


def wait_for(url: str, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def rounds(port: int, cookie: str, arguments: argparse.Namespace) -> dict[str, list[Load]]:
    out: dict[str, list[Load]] = {name: [] for name in PAGES}
    for path in PAGES.values():
        measure(port, path, cookie, clients=arguments.clients, seconds=2)
    for _ in range(arguments.rounds):
        for name, path in PAGES.items():
            out[name].append(measure(port, path, cookie, clients=arguments.clients, seconds=arguments.seconds))
    return out


def figures(measured: dict[str, list[Load]]) -> dict[str, dict[str, float]]:
    """The median round of each page, with its share of the minimal page's."""
    rates = {name: statistics.median(load.per_second for load in loads) for name, loads in measured.items()}
    return {
        name: {
            "per_second": round(rates[name], 1),
            "ratio": round(rates[name] / rates["minimal"], 2),
            "p50_ms": round(statistics.median(load.percentile(50) for load in loads), 1),
            "p95_ms": round(statistics.median(load.percentile(95) for load in loads), 1),
            "kilobytes": round(loads[-1].body_bytes / 1000, 1),
        }
        for name, loads in measured.items()
    }


def on_database(kind: str, arguments: argparse.Namespace) -> dict[str, dict[str, float]]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hotfixdash-bench-")))
        environment = os.environ | {"DATA_DIR": str(folder), "DJANGO_SETTINGS_MODULE": "bench.page_settings"}
        environment.pop("DATABASE_URL", None)
        environment.pop("REDIS_URL", None)
        if kind == "postgres":
            environment["DATABASE_URL"], stop = start_cluster()
            stack.callback(stop)
        socket = broker_socket(folder)
        stack.enter_context(running(server_command(socket, folder / "broker"), environment))
        wait_until_it_answers(f"unix://{socket}")
        seeded = subprocess.run(
            [sys.executable, "bench/page_seed.py"], cwd=ROOT, env=environment, stdout=subprocess.PIPE, check=True
        )
        cookie = seeded.stdout.decode().split()[-1]
        gunicorn = [
            str(Path(sys.executable).with_name("gunicorn")), "hotfixdash.wsgi:application",
            f"--bind=127.0.0.1:{arguments.port}", "--worker-class=gthread", "--workers=2", "--threads=8",
            "--keep-alive=30", "--log-level=warning",
        ]  # fmt: skip
        stack.enter_context(running(gunicorn, environment))
        wait_for(f"http://127.0.0.1:{arguments.port}/healthz")
        return figures(rounds(arguments.port, cookie, arguments))


def show(kind: str, found: dict[str, dict[str, float]]) -> bool:
    """Print one database's table; whether the limits were kept."""
    print(f"\n{kind}\n{'page':<24}{'requests/s':>12}{'ratio':>8}{'p50 ms':>9}{'p95 ms':>9}{'kB':>8}")
    kept = True
    for name, row in found.items():
        good = name == "minimal" or (row["ratio"] >= LEAST_RATIO and row["p95_ms"] < MOST_P95)
        kept = kept and good
        values = f"{row['per_second']:>12}{row['ratio']:>8}{row['p50_ms']:>9}{row['p95_ms']:>9}{row['kilobytes']:>8}"
        print(f"{name:<24}{values}{'' if good else '   outside the limits'}", flush=True)
    return kept


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", choices=["sqlite", "postgres", "both"], default="both")
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=6.0, help="of one round of one page")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--port", type=int, default=8159)
    parser.add_argument("--json", type=Path, help="write the figures there too")
    arguments = parser.parse_args()
    kinds = ["postgres", "sqlite"] if arguments.database == "both" else [arguments.database]
    found: dict[str, Any] = {}
    kept = True
    for kind in kinds:
        found[kind] = on_database(kind, arguments)
        kept = show(kind, found[kind]) and kept
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=1) + "\n")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
