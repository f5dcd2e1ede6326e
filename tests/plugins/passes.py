"""Runs every test on SQLite; then those of a whole dashboard, and beside them those with a database on PostgreSQL."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parent.parent.parent


@dataclass(slots=True)
class Pass:
    """One pytest run."""

    title: str
    arguments: Sequence[str]
    environment: dict[str, str] = field(default_factory=dict)

    def start(self, given: Sequence[str], output: IO[str] | None) -> subprocess.Popen[str]:
        clean = {key: value for key, value in os.environ.items() if key != "TEST_DATABASE"}
        command = [sys.executable, "-m", "pytest", "-q", "--dist", "worksteal", *given, *self.arguments]
        return subprocess.Popen(
            command, cwd=ROOT, env=clean | self.environment, stdout=output, stderr=output, text=True
        )


def run(first: Pass, given: Sequence[str], beside: Pass | None = None) -> int:
    """One pass whose output is seen at once, and one beside it whose output is shown when both have ended."""
    began = time.monotonic()
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as output:
        other = beside.start(given, output) if beside else None
        print(f"\n== {first.title}", flush=True)
        code = first.start(given, None).wait()
        tell(first, code, began)
        if beside and other:
            code = max(code, other.wait())
            output.seek(0)
            print(f"\n== {beside.title}\n{output.read()}", flush=True)
            tell(beside, other.returncode, began)
    return code


def tell(what: Pass, code: int, began: float) -> None:
    """How it ended and how long it took until now."""
    ended = "passed" if code == 0 else f"FAILED (exit code {code})"
    print(f"== {what.title}: {ended} in {time.monotonic() - began:.0f} s", flush=True)


def main() -> int:
    given = sys.argv[1:]
    real = ["broker", "browser"] + (["long"] if "--long" in given else [])
    apart = Pass(
        "Every test but those of a whole dashboard, on SQLite", ["--require", ",".join(real), "--ignore=tests/e2e"]
    )
    # One process: each that took one of these would start a dashboard of its own. It waits more than it computes.
    whole = Pass("A whole dashboard, in a browser", ["--require", "broker,browser", "-n", "0", "tests/e2e"])
    postgres = Pass("Tests with a database, on PostgreSQL", ["--require", "postgres"], {"TEST_DATABASE": "postgres"})
    return max(run(apart, given), run(postgres, given, beside=whole))


if __name__ == "__main__":
    sys.exit(main())
