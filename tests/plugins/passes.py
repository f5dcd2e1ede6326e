"""Runs tests on SQLite, those with real servers and browsers beside the others, and then on PostgreSQL."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parent.parent.parent
INTERRUPTED = 2
"""pytest's exit code after Ctrl-C: no further pass is to begin."""


@dataclass(slots=True)
class Pass:
    """One pytest run."""

    title: str
    arguments: Sequence[str]
    environment: dict[str, str] = field(default_factory=dict)

    def run(self, given: Sequence[str], output: IO[str] | None = None) -> int:
        """Its exit code. Without `output` it is seen at once."""
        clean = {key: value for key, value in os.environ.items() if key != "TEST_DATABASE"}
        command = [sys.executable, "-m", "pytest", "-q", "--dist", "worksteal", *given, *self.arguments]
        environment = clean | self.environment
        return subprocess.run(command, cwd=ROOT, env=environment, stdout=output, stderr=output, check=False).returncode


def one_by_one(passes: Sequence[Pass], given: Sequence[str], output: IO[str] | None = None) -> int:
    """One pass after the other, all into `output` or seen at once; the worst exit code."""
    worst = 0
    for each in passes:
        began = time.monotonic()
        print(f"\n== {each.title}", file=output, flush=True)
        code = each.run(given, output)
        if output is not None:
            output.seek(0, os.SEEK_END)
        print(ended(each, code, began), file=output, flush=True)
        worst = max(worst, code)
        if code == INTERRUPTED:
            break
    return worst


def run(lane: Sequence[Pass], beside: Sequence[Pass], given: Sequence[str]) -> int:
    """Passes whose output is seen at once, and those beside them whose output is shown when all have ended."""
    began = time.monotonic()
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as output, ThreadPoolExecutor(1) as threads:
        others = threads.submit(one_by_one, beside, given, output)
        worst = max(one_by_one(lane, given), others.result())
        output.seek(0)
        print(output.read(), flush=True)
    print(f"== All in {time.monotonic() - began:.0f} s: {'FAILED' if worst else 'passed'}", flush=True)
    return worst


def ended(what: Pass, code: int, began: float) -> str:
    """How it ended and how long it took until now."""
    how = "passed" if code == 0 else f"FAILED (exit code {code})"
    return f"== {what.title}: {how} in {time.monotonic() - began:.0f} s"


def main() -> int:
    given = sys.argv[1:]
    long = ["long"] if "--long" in given else []
    plain = Pass(
        "Tests within their own process, on SQLite",
        ["-m", "not broker and not browser", *(["--require", "long"] if long else [])],
    )
    # Beside what is left of the others: as many processes as there are cores.
    postgres = Pass(
        "Tests with a database, on PostgreSQL",
        ["--require", "postgres", "-n", str(max(2, os.cpu_count() or 1))],
        {"TEST_DATABASE": "postgres"},
    )
    # One process: each would start servers, a browser and dashboards of its own. It waits more than it computes.
    whole = Pass(
        "With broker, worker, web server, browser and whole dashboards, on SQLite",
        ["--require", ",".join(["broker", "browser", *long]), "-n", "0", "-m", "broker or browser"],
    )
    return run([plain, postgres], [whole], given)


if __name__ == "__main__":
    sys.exit(main())
