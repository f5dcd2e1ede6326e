"""Asks as an outsider would: `manage.py mergeback` in a process of its own, and `git cherry` on the same repository."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from .histories import Pair

ROOT = Path(__file__).resolve().parent.parent.parent


class Refused(Exception):
    """The command answered with an error."""


def mergeback(pair: Pair, *options: str) -> tuple[dict[str, Any], float]:
    """The answer as data, and the seconds the whole process took. Raises Refused."""
    command = [
        sys.executable, str(ROOT / "manage.py"), "mergeback", str(pair.repository), "--production", pair.production,
        "--target", pair.target, "--commits", "--no-preview", "--format", "json", *options,
    ]  # fmt: skip
    began = time.monotonic()
    done = subprocess.run(command, capture_output=True, check=False)
    took = time.monotonic() - began
    try:
        data = json.loads(done.stdout)
    except ValueError:
        raise Refused(done.stderr.decode("utf-8", "replace")) from None
    if "error" in data:
        raise Refused(data["error"]["message"])
    return data, took


def cherry(pair: Pair) -> tuple[dict[str, bool], float]:
    """By candidate, whether `git cherry` finds an equal patch in the target; and the seconds it took."""
    command = ["git", f"--git-dir={pair.repository}", "cherry", pair.target, pair.production]
    began = time.monotonic()
    done = subprocess.run(command, capture_output=True, check=True)
    took = time.monotonic() - began
    lines = done.stdout.decode("ascii").splitlines()
    return {line[2:]: line[0] == "-" for line in lines}, took
