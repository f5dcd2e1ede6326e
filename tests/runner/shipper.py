"""A worker for tests, to be killed: `python -m tests.runner.shipper FOLDER MARKER COMMAND` carries out one command."""

from __future__ import annotations

import sys
from pathlib import Path

import django

django.setup()

from releases.deploys.runner import Job, execute  # noqa: E402


def main(folder: str, marker: str, command: str) -> None:
    """Prints how it ended."""
    job = Job(command, Path(folder), {}, timeout=120, silence=0, cpu=0, max_size=0, marker=marker, grace=1.0)
    ended = execute(job, lambda _data: None, lambda: "")
    print(ended.how, ended.signal, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
