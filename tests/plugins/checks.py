"""`make check`: everything that can be said about the code without running it. Runs all, then fails if any failed."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
BIN = Path(sys.executable).parent

CHECKS: dict[str, list[str]] = {
    "style": ["ruff", "check", "."],
    "format": ["ruff", "format", "--check", "."],
    "types": ["mypy"],
    "import directions": ["lint-imports"],
    "settings": ["python", "manage.py", "check"],
    "migrations": ["python", "manage.py", "makemigrations", "--check", "--dry-run"],
    "templates": ["python", "tests/plugins/templates.py"],
    "compose file": ["check-jsonschema", "--builtin-schema", "vendor.compose-spec", "docker-compose.yml"],
    "packages": ["pip", "check"],
}


def main() -> int:
    failed = []
    with tempfile.TemporaryDirectory(prefix="hotfixdash-check-") as folder:
        environment = os.environ | {"DATA_DIR": folder, "DJANGO_SETTINGS_MODULE": "hotfixdash.settings"}
        for title, command in CHECKS.items():
            began = time.monotonic()
            done = subprocess.run(
                [BIN / command[0], *command[1:]], cwd=ROOT, env=environment, text=True,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            )  # fmt: skip
            mark = "ok" if done.returncode == 0 else "FAILED"
            print(f"{title:<20} {mark:<7} {time.monotonic() - began:5.1f} s", flush=True)
            if done.returncode:
                failed.append(title)
                print(done.stdout, flush=True)
    if failed:
        print(f"Failed: {', '.join(failed)}.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
