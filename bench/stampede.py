"""A stampede on a public status page: 10,000 watchers, an incident that changes, a broker and a database that go away.

First requests a second: an empty view of Django (without any middleware, and in the dashboard itself), the page as a
first visit and as an open page that asks again, and nginx with the page as a static file, in rounds that take turns.
Then watchers that ask every 15 seconds with jitter, while updates are said, first visits come in a burst, and the
broker and then the database are away for a minute each. The web server is started as in docker-compose.yml. Ends with
1 when a limit was missed. Everything is on the loopback, bounded in number and time, and ends by itself.
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
import urllib.request
from array import array
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench.push_to_visible import percentile  # noqa: E402
from bench.stampede_load import PART, hammer  # noqa: E402
from bench.stampede_site import NO_NGINX, PATH, Site, processor_seconds  # noqa: E402

WATCHERS, EVERY, JITTER = 10_000, 15.0, 2.0
PROCESSES = 2
MOST_P95, MOST_SECONDS, LEAST_RATIO = 0.5, 20.0, 0.8
EMPTY = "empty view, Django alone"
BEHIND = 0.1
"""Seconds: a generator whose 95th percentile is later than this cannot be believed, and gets half of the watchers."""
LONGEST = 900.0


@dataclass
class Part:
    """A stretch of the run with its own name."""

    name: str
    since: float
    until: float = 0.0


@dataclass
class Run:
    """What a stampede gave."""

    watchers: int
    parts: list[Part] = field(default_factory=list)
    said: dict[int, float] = field(default_factory=dict)
    """When each update was committed."""
    answers: list[tuple[float, float, float, float]] = field(default_factory=list)
    late: list[tuple[float, float]] = field(default_factory=list)
    faults: list[tuple[float, str]] = field(default_factory=list)
    first: dict[int, list[float]] = field(default_factory=dict)
    cpu: list[float] = field(default_factory=list)

    def began(self, name: str) -> None:
        now = time.time()
        if self.parts:
            self.parts[-1].until = now
        self.parts.append(Part(name, now))

    @property
    def behind(self) -> float:
        """How late the generator itself was, 95th percentile."""
        return percentile([late for _, late in self.late], 95) if self.late else 0.0

    def seconds_until_all(self, number: int) -> float:
        """From the commit of an update until the last of those who were there had it."""
        return max(self.first.get(number, [0.0])) - self.said[number]


class Crowd:
    """The processes of the watchers."""

    def __init__(self, site: Site, watchers: int, seconds: float, options: argparse.Namespace) -> None:
        self.files = [site.folder / f"seen-{number}" for number in range(PROCESSES)]
        self.processes = []
        for number, file in enumerate(self.files):
            orders = {
                "port": site.port, "path": PATH, "watchers": watchers // PROCESSES, "every": options.every,
                "jitter": options.every * JITTER / EVERY, "seconds": seconds, "seed": number, "file": str(file),
            }  # fmt: skip
            process = subprocess.Popen(
                [sys.executable, str(ROOT / "bench" / "stampede_load.py")], stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, text=True,
            )  # fmt: skip
            assert process.stdin is not None
            process.stdin.write(json.dumps(orders) + "\n")
            process.stdin.flush()
            self.processes.append(process)
        for process in self.processes:
            assert process.stdout is not None
            process.stdout.readline()

    def tell(self, line: str) -> None:
        for process in self.processes:
            assert process.stdin is not None
            process.stdin.write(line + "\n")
            process.stdin.flush()

    def end(self, run: Run) -> None:
        """Call it off, and put what every process saw together."""
        run.parts[-1].until = time.time()
        self.tell("end")
        for process, file in zip(self.processes, self.files, strict=True):
            process.wait(60)
            with open(file, "rb") as found:
                told = json.loads(found.readline())
                answers, late = array("d"), array("d")
                answers.fromfile(found, told["answers"])
                late.fromfile(found, told["late"])
            run.answers += zip(answers[0::4], answers[1::4], answers[2::4], answers[3::4], strict=True)
            run.late += zip(late[0::2], late[1::2], strict=True)
            run.faults += [(at, why) for at, why in told["faults"]]
            run.cpu.append(told["cpu"])
            for number, moments in told["first"].items():
                run.first.setdefault(int(number), []).extend(moments)


# --- requests a second ------------------------------------------------------------------------------------------------


def request(path: str, tag: str = "") -> bytes:
    known = f"If-None-Match: {tag}\r\n" if tag else ""
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept-Encoding: gzip\r\n{known}\r\n".encode()


@dataclass
class Round:
    """One page in one round."""

    per_second: float
    p95: float
    processor: float
    """Seconds that the server computed for one request."""


def capacity(site: Site, options: argparse.Namespace) -> dict[str, dict[str, float]]:
    """Requests a second of each, the median round; the generator has a process of its own."""
    base = f"http://127.0.0.1:{site.port}"
    with urllib.request.urlopen(f"{base}{PATH}") as answer:
        page, tag = answer.read(), answer.headers["ETag"]
    bare, nginx = site.bare(), site.nginx(page)
    here = (site.port, site.web.pid)
    asked = {
        EMPTY: (bare, request("/bench/empty/")),
        "empty view, in the dashboard": (here, request("/bench/empty/")),
        "status page, first visit": (here, request(PATH)),
        "status page, asking again": (here, request(PATH, tag)),
    }
    if nginx is None:
        print(NO_NGINX)
    else:
        asked["nginx, static file"] = (nginx, request("/"))
    found: dict[str, list[Round]] = {name: [] for name in asked}
    with ProcessPoolExecutor(1) as pool:
        for turn in range(options.rounds + 1):
            for name, ((port, process), what) in asked.items():
                before, seconds = processor_seconds(process), options.seconds if turn else 1.0
                rate, times = pool.submit(hammer, port, what, options.connections, seconds).result()
                spent = (processor_seconds(process) - before) / len(times)
                found[name] += [Round(rate, percentile(times, 95), spent)] if turn else []
    return {name: _rates(rounds, found[EMPTY]) for name, rounds in found.items()}


def _rates(rounds: list[Round], empty: list[Round]) -> dict[str, float]:
    """Medians; shares are of the same round, since other work on the machine comes and goes."""
    return {
        "per_second": round(statistics.median(row.per_second for row in rounds)),
        "of_empty": round(
            statistics.median(r.per_second / e.per_second for r, e in zip(rounds, empty, strict=True)), 2
        ),
        "processor_us": round(statistics.median(row.processor for row in rounds) * 1e6),
        "p95_ms": round(statistics.median(row.p95 for row in rounds) * 1000, 1),
    }


# --- the stampede -----------------------------------------------------------------------------------------------------


def stampede(site: Site, watchers: int, options: argparse.Namespace) -> Run:
    """The whole story; `say` takes a second or so, since a process of its own does it."""
    run = Run(watchers)
    crowd = Crowd(site, watchers, LONGEST, options)
    settle = options.every * 1.3

    def update(number: int) -> None:
        run.said[number] = site.say(number)
        time.sleep(max(settle, options.every + 6))

    run.began("everybody arrives")
    time.sleep(options.every + 1)
    run.began("watching")
    time.sleep(settle)
    run.began("an update")
    update(1)
    run.began("burst of first visits")
    crowd.tell(f"visits {options.visits // PROCESSES} {options.every / 3}")
    update(2)
    run.began("broker away")
    site.broker_away()
    update(3)
    time.sleep(max(0.0, options.away - settle))
    site.broker_back()
    run.began("broker back")
    time.sleep(settle)
    run.began("database away")
    site.database_away()
    time.sleep(options.away)
    site.database_back()
    run.began("database back")
    time.sleep(6)
    update(4)
    crowd.end(run)
    return run


def honest(site: Site, options: argparse.Namespace) -> int:
    """As many watchers as the generator can drive here without being late itself."""
    watchers = int(options.watchers)
    while watchers > 100:
        run = Run(watchers)
        crowd = Crowd(site, watchers, LONGEST, options)
        run.began("trial")
        time.sleep(options.every * 1.6)
        crowd.end(run)
        settled = run.parts[0].since + options.every
        behind = percentile([late for at, late in run.late if at > settled] or [0.0], 95)
        if behind <= BEHIND:
            break
        print(f"{watchers} watchers: the generator itself is {behind:.2f} s late (95 %), it goes on with half of them.")
        watchers //= 2
    return watchers


# --- what is said -----------------------------------------------------------------------------------------------------


def figures(run: Run) -> list[dict[str, Any]]:
    """Each part with its requests a second, latency and errors."""
    out = []
    for part in run.parts:
        mine = [row for row in run.answers if part.since <= row[0] < part.until]
        pages = [took for _, took, kind, _ in mine if kind != PART]
        whys = [why for at, why in run.faults if part.since <= at < part.until]
        out.append(
            {
                "part": part.name, "seconds": round(part.until - part.since, 1),
                "per_second": round(len(mine) / (part.until - part.since)), "answers": len(mine),
                "p50_ms": round(percentile(pages, 50) * 1000, 1) if pages else None,
                "p95_ms": round(percentile(pages, 95) * 1000, 1) if pages else None,
                "p99_ms": round(percentile(pages, 99) * 1000, 1) if pages else None,
                "errors": len(whys), "why": sorted(set(whys))[:3],
            }
        )  # fmt: skip
    return out


def show(rates: dict[str, dict[str, float]]) -> None:
    print(f"\n{'requests a second':<32}{'':>10}{'of empty':>10}{'p95 ms':>9}{'server, µs each':>17}")
    for name, row in rates.items():
        values = f"{row['per_second']:>10}{row['of_empty']:>10}{row['p95_ms']:>9}{row['processor_us']:>17}"
        print(f"{name:<32}{values}", flush=True)


def report(rates: dict[str, dict[str, float]], run: Run, options: argparse.Namespace) -> int:
    """Tables, and 1 when a limit was missed."""
    rows = figures(run)
    show(rates)
    print(f"\n{run.watchers} watchers, every {options.every:g} s; generator at {sum(run.cpu):.0%} of a core, "
          f"{run.behind * 1000:.0f} ms late (95 %); load {os.getloadavg()[0]:.1f}")  # fmt: skip
    print(f"{'':<24}{'s':>7}{'req/s':>8}{'p50 ms':>9}{'p95 ms':>9}{'p99 ms':>9}{'errors':>8}")
    for row in rows:
        values = "".join(f"{row[key] if row[key] is not None else '':>9}" for key in ("p50_ms", "p95_ms", "p99_ms"))
        print(f"{row['part']:<24}{row['seconds']:>7}{row['per_second']:>8}{values}{row['errors']:>8}", *row["why"])
    seen = {number: round(run.seconds_until_all(number), 1) for number in run.said}
    for number, seconds in seen.items():
        print(f"update {number}: seen by {len(run.first.get(number, []))} within {seconds} s")
    polls = min(rates[name]["of_empty"] for name in ("status page, asking again", "status page, first visit"))
    limits = {
        "p95 below 500 ms": all(row["p95_ms"] is not None and row["p95_ms"] < MOST_P95 * 1000 for row in rows),
        "no error": not run.faults,
        "updates seen by all within 20 s": all(
            seconds <= MOST_SECONDS + (options.every - EVERY) and len(run.first.get(number, [])) >= run.watchers
            for number, seconds in seen.items()
        ),
        "at least 0.8 of the empty view": polls >= LEAST_RATIO,
    }
    for name, kept in limits.items():
        print(f"{'kept  ' if kept else 'MISSED'}  {name}")
    if options.json:
        told = {"rates": rates, "watchers": run.watchers, "parts": rows, "seen": seen, "limits": limits}
        options.json.write_text(json.dumps(told, indent=1) + "\n")
    return 0 if all(limits.values()) else 1


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--watchers", type=int, default=WATCHERS)
    parser.add_argument("--every", type=float, default=EVERY, help="seconds between two questions of a watcher")
    parser.add_argument("--visits", type=int, default=1_000, help="first visits that come in a burst")
    parser.add_argument("--away", type=float, default=60.0, help="seconds that broker and database are away, each")
    parser.add_argument("--rounds", type=int, default=24, help="of the measurement of requests a second")
    parser.add_argument(
        "--seconds",
        type=float,
        default=0.7,
        help="of one round of one page: short turns, since the machine itself has better and worse seconds",
    )
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--only-rates", action="store_true", help="requests a second alone")
    parser.add_argument("--json", type=Path, help="write the figures there too")
    return parser.parse_args()


def main() -> int:
    options = read_options()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hotfixdash-bench-")))
        site = Site(folder, stack)
        rates = capacity(site, options)
        if options.only_rates:
            show(rates)
            return 0
        run = stampede(site, honest(site, options), options)
    return report(rates, run, options)


if __name__ == "__main__":
    sys.exit(main())
