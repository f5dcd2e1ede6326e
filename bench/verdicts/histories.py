"""Which pair of branches is compared in which public history, and how a clone of one is recognised."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

KNOWN = {
    "django": [
        ("stable/1.8.x", "main"), ("stable/1.11.x", "main"), ("stable/2.2.x", "main"), ("stable/3.2.x", "main")
    ],
    "cpython": [("3.8", "master"), ("3.9", "master")],
    "containerd": [("release/1.6", "main"), ("release/1.7", "main"), ("release/2.0", "main")],
    "keystone": [("stable/2025.1", "master"), ("unmaintained/yoga", "master")],
    "nginx": [("stable-1.26", "master"), ("stable-1.28", "master")],
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Pair:
    """One line of production against one target."""

    repository: Path
    name: str
    production: str
    target: str

    @property
    def title(self) -> str:
        return f"{self.name} {self.production} → {self.target}"


def known_pairs(folder: Path) -> Iterator[Pair]:
    """Every known pair whose clone lies in this folder (itself, or in a `repo` folder inside) and has both refs."""
    for place in sorted(path for path in folder.iterdir() if path.is_dir()):
        repository = git_dir(place) or git_dir(place / "repo")
        for name, pairs in KNOWN.items() if repository else ():
            for production, target in pairs if name in place.name.lower() else ():
                if repository and has(repository, production) and has(repository, target):
                    yield Pair(repository, name, production, target)


def git_dir(place: Path) -> Path | None:
    """The git directory at this path; None when there is none."""
    for folder in (place, place / ".git"):
        if (folder / "objects").is_dir() and (folder / "HEAD").is_file():
            return folder
    return None


def has(repository: Path, ref: str) -> bool:
    """Whether this name is a commit there."""
    command = ["git", f"--git-dir={repository}", "rev-parse", "--quiet", "--verify", "--end-of-options"]
    done = subprocess.run([*command, f"{ref}^{{commit}}"], capture_output=True, check=False)
    return done.returncode == 0
