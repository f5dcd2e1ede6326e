"""Runs every test on SQLite; beside them those of a whole dashboard, and then those with a database on PostgreSQL."""

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


def one_by_one(passes: Sequence[Pass], given: Sequence[str], output: IO[str]) -> int:
    """One pass after the other, all into `output`; the worst exit code."""
    worst = 0
    for each in passes:
        began = time.monotonic()
        output.write(f"\n== {each.title}\n")
        output.flush()
        code = each.run(given, output)
        output.seek(0, os.SEEK_END)
        output.write(f"{ended(each, code, began)}\n")
        output.flush()
        worst = max(worst, code)
        if code == INTERRUPTED:
            break
    return worst


def run(first: Pass, given: Sequence[str], beside: Sequence[Pass]) -> int:
    """One pass whose output is seen at once, and those beside it whose output is shown when all have ended."""
    began = time.monotonic()
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as output, ThreadPoolExecutor(1) as lane:
        others = lane.submit(one_by_one, beside, given, output)
        print(f"\n== {first.title}", flush=True)
        code = first.run(given)
        print(ended(first, code, began), flush=True)
        worst = max(code, others.result())
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
    real = ["broker", "browser"] + (["long"] if "--long" in given else [])
    apart = Pass(
        "Every test but those of a whole dashboard, on SQLite", ["--require", ",".join(real), "--ignore=tests/e2e"]
    )
    # One process: each that took one of these would start a dashboard of its own. It waits more than it computes.
    whole = Pass("A whole dashboard, in a browser", ["--require", "broker,browser", "-n", "0", "tests/e2e"])
    # As many processes as there are cores, however many the others are: this pass begins while those are at work.
    postgres = Pass(
        "Tests with a database, on PostgreSQL",
        ["--require", "postgres", "-n", str(max(2, os.cpu_count() or 1))],
        {"TEST_DATABASE": "postgres"},
    )
    return run(apart, given, beside=[whole, postgres])


if __name__ == "__main__":
    sys.exit(main())
