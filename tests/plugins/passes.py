"""Runs every test on SQLite, those of a whole dashboard apart, then everything with a database on PostgreSQL."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


def run(title: str, arguments: list[str], **environment: str) -> tuple[int, float]:
    """One pytest run: its exit code and how long it took."""
    print(f"\n== {title}", flush=True)
    began = time.monotonic()
    clean = {key: value for key, value in os.environ.items() if key != "TEST_DATABASE"}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--dist", "worksteal", *arguments], cwd=ROOT, env=clean | environment
    )
    return done.returncode, time.monotonic() - began


def main() -> int:
    given = sys.argv[1:]
    first = ["broker", "browser"] + (["long"] if "--long" in given else [])
    passes = [
        (
            "Every test but those of a whole dashboard, on SQLite",
            ["--require", ",".join(first), "--ignore=tests/e2e"],
            {},
        ),
        # One process: each that took one of these would start a dashboard of its own.
        ("A whole dashboard, in a browser", ["--require", "broker,browser", "-n", "0", "tests/e2e"], {}),
        ("Everything with a database, on PostgreSQL", ["--require", "postgres"], {"TEST_DATABASE": "postgres"}),
    ]
    codes = []
    for title, arguments, environment in passes:
        code, seconds = run(title, [*given, *arguments], **environment)
        codes.append(code)
        print(f"== {title}: {'passed' if code == 0 else f'FAILED (exit code {code})'} in {seconds:.0f} s", flush=True)
    return max(codes)


if __name__ == "__main__":
    sys.exit(main())
