"""Makes sure that the programs the tests need are installed: as root with apt-get, else by naming the command."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from tests.plugins.postgres import find_binaries

BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser")
"""Names of the same browser. The first draws no window that nobody sees, and takes half the processor time."""


def find_chromium() -> str | None:
    """The browser that is installed, if any."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)


def missing() -> list[str]:
    """Debian packages that the tests need and that are not here."""
    wanted = {"chromium": find_chromium(), "postgresql": find_binaries(), "git": shutil.which("git")}
    return [package for package, found in wanted.items() if not found]


def install(packages: list[str]) -> bool:
    """Install them; False when that did not work."""
    print(f"Installing for the tests: {' '.join(packages)} …", flush=True)
    _apt("update")  # One that failed for one source may still have found what is needed.
    if "chromium" in packages and not _apt("install", "-y", "--no-install-recommends", BROWSERS[0]):
        packages = [package for package in packages if package != "chromium"]
    said = _apt("install", "-y", "--no-install-recommends", *packages) if packages else ""
    print(said[-2000:], file=sys.stderr, end="")
    return not said


def _apt(command: str, *arguments: str) -> str:
    """What it said when it failed; nothing when all went well."""
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(
        ["apt-get", command, "-qq", *arguments], env=quiet, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    return (done.stdout or "apt-get failed") if done.returncode else ""


def main() -> int:
    packages = missing()
    if packages and os.geteuid() == 0 and shutil.which("apt-get") and install(packages):
        packages = missing()
    if not packages:
        return 0
    print(f"The tests need: {', '.join(packages)}. Install them with", file=sys.stderr)
    print(f"    sudo apt-get install {' '.join(packages)}", file=sys.stderr)
    if os.environ.get("ALLOW_SKIP") == "1":
        print("ALLOW_SKIP=1: going on; what needs them is skipped.", file=sys.stderr)
        return 0
    print("or run with ALLOW_SKIP=1 to leave out what needs them.", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
