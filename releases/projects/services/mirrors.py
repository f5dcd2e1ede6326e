"""A project's mirror and cached facts on this worker's disk: where they lie, and a fresh look at the remote."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from django.conf import settings

from releases.git import objects
from releases.git.repository import RefRow

from ..models import Project


@dataclass(frozen=True, slots=True)
class Look:
    """What one fetch found."""

    git_dir: Path
    refs: tuple[RefRow, ...]
    """Every branch and tag."""
    forced: frozenset[str] = frozenset()
    """Full names of refs that moved other than forward."""
    head: str | None = None
    """The branch that the remote's HEAD names."""
    shallow: bool = False
    size: int = 0
    """Bytes on disk."""
    commits: int = 0
    notes: tuple[str, ...] = field(default=())

    @property
    def branches(self) -> list[str]:
        """Short names."""
        return [ref.name.removeprefix("refs/heads/") for ref in self.refs if ref.name.startswith("refs/heads/")]

    @property
    def tags(self) -> list[str]:
        """Short names."""
        return [ref.name.removeprefix("refs/tags/") for ref in self.refs if ref.name.startswith("refs/tags/")]


def mirror_folder(project: Project) -> Path:
    """The bare mirror; named by key and not by name, so that renaming a project moves nothing."""
    return Path(settings.MIRROR_DIR) / f"{project.pk}.git"


def facts_file(project: Project) -> Path:
    """The facts about this project's commits; losing the file costs only time."""
    return Path(settings.EVIDENCE_DIR) / f"{project.pk}.sqlite3"


def mirror_remove(folder: Path, facts: Path) -> None:
    """Remove a mirror and its facts; whatever cannot be removed stays, and does no harm."""
    shutil.rmtree(folder, ignore_errors=True)
    for path in facts.parent.glob(f"{facts.name}*"):
        path.unlink(missing_ok=True)


def mirror_look(project: Project) -> Look:
    """Bring the mirror up to date and say what it holds. Raises `GitError`, `SecretUnreadable`."""
    raise NotImplementedError


def history_walk(git_dir: Path, tips: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """(commit, parents) of everything that these commits contain, children before parents."""
    for line in objects.walk(git_dir, tips, "--topo-order", "--parents") if tips else ():
        commit, *parents = line.split()
        yield commit, parents
