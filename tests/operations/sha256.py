"""A small GitFlow repository whose object ids have 64 digits."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.operations.planning import LINES, line_changed

_ENV = {
    "PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull, "LC_ALL": "C",
    **{f"GIT_{role}_{field}": value for role in ("AUTHOR", "COMMITTER")
       for field, value in (("NAME", "Robin"), ("EMAIL", "robin@example.org"), ("DATE", "1767600000 +0000"))},
}  # fmt: skip


def make_sha256_flow(folder: Path) -> Path:
    """main with v1.2.0, develop ahead of it, and a hotfix branch with one commit."""
    work, bare = folder / "work", folder / "origin.git"

    def git(*args: str) -> None:
        subprocess.run(["git", "-C", str(work), *args], env=_ENV, check=True, capture_output=True)

    work.mkdir()
    git("init", "-q", "--object-format=sha256", "--initial-branch=main", ".")
    (work / "app.py").write_text(LINES)
    (work / "VERSION").write_text("1.2.0\n")
    git("add", ".")
    git("commit", "-qm", "Start")
    git("tag", "-a", "v1.2.0", "-m", "Version 1.2.0")
    git("switch", "-qc", "develop")
    (work / "VERSION").write_text("1.3.0.dev\n")
    git("commit", "-qam", "TICKET-9 next")
    git("switch", "-qc", "hotfix/TICKET-1", "v1.2.0")
    (work / "app.py").write_text(line_changed(5, "mended"))
    (work / "VERSION").write_text("1.2.1\n")
    git("commit", "-qam", "[HOTFIX] TICKET-1: mend the checkout")
    subprocess.run(["git", "clone", "-q", "--bare", str(work), str(bare)], env=_ENV, check=True, capture_output=True)
    return bare
