"""A reader that goes away early (`| head`) is no failure to complain about."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_a_command_whose_reader_left_ends_quietly(tmp_path: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    try:
        ended = subprocess.run(
            [sys.executable, "manage.py", "help"], cwd=ROOT, env=os.environ | {"DATA_DIR": str(tmp_path)},
            stdout=write, stderr=subprocess.PIPE, text=True, timeout=60,
        )  # fmt: skip
    finally:
        os.close(write)
    assert "BrokenPipe" not in ended.stderr
    assert ended.returncode == 0
