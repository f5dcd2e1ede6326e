"""Asks as an outsider would: `manage.py mergeback` in a process of its own, and `git cherry` on the same repository."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .histories import Pair

ROOT = Path(__file__).resolve().parent.parent.parent


class Refused(Exception):
    """The command answered with an error."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One answer with what it cost."""

    data: dict[str, Any]
    wall: float
    """Seconds of the whole process, interpreter start and printing included."""
    memory: int
    """Peak resident bytes of the asking process itself."""
    memory_git: int
    """Peak resident bytes of its largest git, mapped packs included; at least what Python held when it started it."""


_MEASURED = """
import atexit, resource, runpy, sys
def told():
    with open("/proc/self/status") as status:
        own = next(int(line.split()[1]) for line in status if line.startswith("VmHWM:"))
    sys.stderr.write(f"\\nPEAK {own} {resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss}\\n")
atexit.register(told)
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def mergeback(pair: Pair, *options: str, previews: bool = False) -> Asked:
    """The answer on every production-side commit. Raises Refused."""
    command = [
        sys.executable, "-c", _MEASURED, str(ROOT / "manage.py"), "mergeback", str(pair.repository),
        "--production", pair.production, "--target", pair.target, "--commits", "--format", "json",
        *([] if previews else ["--no-preview"]), *options,
    ]  # fmt: skip
    began = time.monotonic()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    took = time.monotonic() - began
    said = done.stderr.decode("utf-8", "replace")
    try:
        data = json.loads(done.stdout)
    except ValueError:
        raise Refused(said) from None
    if "error" in data:
        raise Refused(data["error"]["message"])
    own, children = said.rpartition("PEAK ")[2].split()
    return Asked(data, took, int(own) << 10, int(children) << 10)


def cherry(pair: Pair) -> tuple[dict[str, bool], float]:
    """By candidate, whether `git cherry` finds an equal patch in the target; and the seconds it took."""
    command = ["git", f"--git-dir={pair.repository}", "cherry", pair.target, pair.production]
    began = time.monotonic()
    done = subprocess.run(command, capture_output=True, check=True)
    took = time.monotonic() - began
    lines = done.stdout.decode("ascii").splitlines()
    return {line[2:]: line[0] == "-" for line in lines}, took
