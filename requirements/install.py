#!/usr/bin/env python3
"""Make `.venv` and fill it with the pinned packages; a second run with the same pins does nothing.

Usage: `python3 requirements/install.py runtime|dev`. Only the standard library is used, and nothing that an
older Python could not read, so that it can say what is missing instead of failing to start.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PINS = ROOT / "requirements"
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
OLDEST_PYTHON = (3, 11)
OLDEST_GIT = (2, 38)
SETS = {"runtime": "base.txt", "dev": "dev.txt"}
ASK_VERSION = "import sys; print('%d.%d' % sys.version_info[:2])"


def stop(message):
    sys.exit("install: " + message)


def find_python():
    """This interpreter when it is new enough, else a newer one on the path."""
    if sys.version_info[:2] >= OLDEST_PYTHON:
        return sys.executable
    for minor in (13, 12, 11, 14):
        found = shutil.which("python3.%d" % minor)
        if found:
            return found
    stop(
        "Python %d.%d is too old: Hotfixdash needs %d.%d or newer.\n"
        "Install one and run `make install PYTHON=/path/to/python3`." % (sys.version_info[:2] + OLDEST_PYTHON)
    )


def check_git():
    try:
        said = subprocess.run(["git", "--version"], stdout=subprocess.PIPE, check=True).stdout.decode()
    except (OSError, subprocess.CalledProcessError):
        stop("git is not installed. Hotfixdash reads histories with git %d.%d or newer." % OLDEST_GIT)
    found = re.search(r"(\d+)\.(\d+)", said)
    if not found or (int(found.group(1)), int(found.group(2))) < OLDEST_GIT:
        stop(
            "%s is too old: Hotfixdash needs git %d.%d or newer (trial merges without a work tree)."
            % ((said.strip(),) + OLDEST_GIT)
        )


def fingerprint(name):
    """Changes with the pins and with the interpreter."""
    digest = hashlib.sha256()
    for part in (PINS / SETS[name], PINS / "bootstrap.txt"):
        digest.update(part.read_bytes())
    digest.update(str(ROOT).encode())
    return digest.hexdigest()


def stamp(name):
    return VENV / (".installed-" + name)


def is_done(name):
    if not PYTHON.exists():
        return False
    try:
        return stamp(name).read_text() == fingerprint(name)
    except OSError:
        return False


def run(*command):
    return subprocess.run(list(map(str, command)), cwd=str(ROOT), stdin=subprocess.DEVNULL).returncode == 0


def venv_works():
    """False for a folder that a removed or replaced interpreter left behind, or that was moved here."""
    try:
        asked = subprocess.run([str(PYTHON), "-c", ASK_VERSION], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    except OSError:
        return False
    version = tuple(int(part) for part in asked.stdout.decode().strip().split(".") if part)
    return asked.returncode == 0 and version >= OLDEST_PYTHON


def make_venv():
    if PYTHON.exists() and venv_works():
        return
    python = find_python()
    if not run(python, "-m", "venv", "--clear", VENV):
        stop(
            "`%s -m venv` failed. On Debian and Ubuntu the package `python3-venv` is needed:\n"
            "    apt-get install python3-venv" % python
        )


def sync_with_uv(pins):
    """First with the certificates that uv brings, then with the system's: an index behind a company's proxy shows
    a certificate that only this machine knows. What uv says matters only when neither works, and then pip is next."""
    command = [VENV / "bin" / "uv", "pip", "sync", "--quiet", "--python", PYTHON, "--require-hashes"]
    command += ["--compile-bytecode", "--link-mode", "copy", pins]
    return any(
        subprocess.run(
            [str(part) for part in command + more], cwd=str(ROOT), stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ).returncode
        == 0
        for more in ([], ["--system-certs"])
    )


def sync(name):
    """uv takes seconds; where it cannot be installed, pip does the same in a minute, with the same hashes."""
    pins = PINS / SETS[name]
    quiet = ["-qq", "--disable-pip-version-check", "--no-input"]
    if run(PYTHON, "-m", "pip", "install", *quiet, "--require-hashes", "-r", PINS / "bootstrap.txt"):
        if sync_with_uv(pins):
            return
        print("install: uv could not install the packages; trying pip, which takes a minute.", flush=True)
    else:
        print("install: uv could not be installed; using pip, which takes a minute.", flush=True)
    if not run(PYTHON, "-m", "pip", "install", *quiet, "--require-hashes", "-r", pins):
        stop("the packages could not be installed. Is the package index reachable? Run the command again then.")


def main():
    name = sys.argv[1] if len(sys.argv) > 1 else "dev"
    if name not in SETS:
        stop("expected one of: " + ", ".join(SETS))
    check_git()
    # The development set holds the runtime set.
    if is_done("dev") or is_done(name):
        return
    print("Installing the %s packages into %s …" % (name, os.path.relpath(str(VENV))), flush=True)
    make_venv()
    sync(name)
    for other in SETS:
        if stamp(other).exists():
            stamp(other).unlink()
    stamp(name).write_text(fingerprint(name))


if __name__ == "__main__":
    main()
