"""Run a command as somebody at a terminal would: its own process, its own folder, no server, no database."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        return json.loads(self.out)


def run_command(data_dir: Path, *args: str, cwd: Path | None = None, **environment: str) -> Ran:
    """`manage.py` with these arguments; `data_dir` is where it may write."""
    env = {
        "PATH": os.environ["PATH"], "HOME": str(data_dir), "DATA_DIR": str(data_dir), "DEBUG": "1", "LC_ALL": "C.UTF-8",
        **environment,
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), *args], capture_output=True, env=env, cwd=cwd or data_dir,
        timeout=120, check=False,
    )  # fmt: skip
    return Ran(done.returncode, done.stdout.decode(), done.stderr.decode())
