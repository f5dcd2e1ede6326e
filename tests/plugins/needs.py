"""Makes sure that the programs the tests need are installed: as root with apt-get, else by naming the command."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from tests.plugins.postgres import find_binaries


def find_chromium() -> str | None:
    """The browser that is installed, if any."""
    return os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")


def missing() -> list[str]:
    """Debian packages that the tests need and that are not here."""
    wanted = {"chromium": find_chromium(), "postgresql": find_binaries(), "git": shutil.which("git")}
    return [package for package, found in wanted.items() if not found]


def install(packages: list[str]) -> bool:
    """Install them; False when that did not work."""
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    print(f"Installing for the tests: {' '.join(packages)} …", flush=True)
    for command in (
        ["apt-get", "update", "-qq"],
        ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages],
    ):
        done = subprocess.run(command, env=quiet, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        # An update that failed for one source may still have found what is needed.
        if done.returncode and "install" in command:
            print(done.stdout[-2000:], file=sys.stderr)
            return False
    return True


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
