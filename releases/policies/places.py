"""Where the repository is that a command asks about: a folder, a tracked project's mirror, or a clone of a URL."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from django.conf import settings

from releases.git.errors import NotARepository
from releases.git.mirror import Mirror
from releases.git.remotes import RemotePolicy
from releases.git.repository import locate

from .decided import Decisions, decisions_of
from .flow import FlowPolicy
from .refs import Refs, read_refs

_URL = re.compile(r"^(?:[a-z][a-z0-9+.-]*://|[a-z][a-z0-9+.-]*::|[\w.-]+@[\w.-]+:)", re.IGNORECASE)


class PlaceError(Exception):
    """There is no such repository; `code` is stable, `hint` says what to do."""

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint


@dataclass(slots=True)
class Place:
    """A repository at hand."""

    name: str
    """As people call it."""
    git_dir: Path
    cache: Path | None
    """The file for facts about its commits; None to keep none."""
    policy: FlowPolicy | None = None
    """The tracked project's policy; None when it is to be guessed."""
    decisions: Decisions = field(default_factory=dict)
    """What people decided by hand in the tracked project."""
    _refs: Refs | None = field(default=None, repr=False)

    @property
    def refs(self) -> Refs:
        if self._refs is None:
            self._refs = read_refs(self.git_dir, self.cache)
        return self._refs


@contextmanager
def located(repository: str, *, progress: Callable[[str], None] | None = None) -> Iterator[Place]:
    """The repository of this name, path or URL. Raises PlaceError and GitError.

    What exists as a folder is taken as a path; other words are looked up among tracked projects, if there is a
    database. A URL is cloned to a cache, or fetched when it was cloned before.
    """
    if not repository.strip():
        # A script's unset variable must not be answered about the folder in which it happens to run.
        raise PlaceError("no-such-repository", "No repository is named.", "Give a path, a URL, or a project's name.")
    if _URL.match(repository):
        yield _cloned(repository, progress)
        return
    folder = Path(repository).expanduser()
    if not folder.is_dir():
        yield _tracked(repository)
        return
    try:
        yield _at(folder)
    except NotARepository as fault:
        raise PlaceError(fault.code, fault.sentence, "Give the folder of a git repository.") from None


def _at(folder: Path) -> Place:
    git_dir = locate(folder, search=True)
    top = git_dir.parent if git_dir.name == ".git" else git_dir
    return Place(top.name.removesuffix(".git") or str(top), git_dir, cache_file(git_dir))


def cache_file(git_dir: Path, folder: Path | None = None) -> Path:
    """Where facts about the commits of this repository are kept."""
    key = hashlib.sha256(str(git_dir.resolve()).encode("utf-8", "surrogateescape")).hexdigest()[:16]
    return (folder or Path(settings.EVIDENCE_DIR)) / f"local-{key}.sqlite3"


def _tracked(name: str) -> Place:
    from django.db import Error
    from django.db.models import Q

    from releases.projects.models import Project
    from releases.projects.services.mirrors import facts_file, mirror_folder

    missing = PlaceError(
        "no-such-repository", f"There is no folder and no tracked project “{name}”.",
        "Give a path, a URL, or the name of a tracked project.",
    )  # fmt: skip
    if not _has_database():
        raise missing
    try:
        project = Project.objects.filter(Q(name=name) | Q(slug=name)).first()
        decisions = decisions_of(project.pk) if project is not None else {}
    except Error:
        raise missing from None
    if project is None:
        raise missing
    folder = mirror_folder(project)
    if not folder.is_dir():
        raise PlaceError(
            "no-mirror",
            f"The mirror of {project.name} is not on this machine.",
            f"Run manage.py fetch {project.slug} --wait.",
        )
    policy = FlowPolicy.from_data(project.policy) if project.policy else None
    return Place(project.name, folder, facts_file(project), policy, decisions)


def _has_database() -> bool:
    """Looking for a project must not create a database file."""
    default = settings.DATABASES["default"]
    return "sqlite" not in default["ENGINE"] or Path(default["NAME"]).is_file()


def _cloned(url: str, progress: Callable[[str], None] | None) -> Place:
    """A mirror of the URL, made or brought up to date now. Raises GitError for an address that is not allowed."""
    policy = RemotePolicy(operator=True)
    policy.check(url)
    key = hashlib.sha256(url.encode("utf-8", "surrogateescape")).hexdigest()[:16]
    mirror = Mirror(Path(settings.MIRROR_DIR) / "by-url" / f"{key}.git", url, policy, timeout=settings.GIT_TIMEOUT)
    if progress:
        progress("Fetching what is new …" if mirror.exists else "Cloning …")
    mirror.path.parent.mkdir(parents=True, exist_ok=True)
    mirror.fetch()
    name = re.split(r"[/:]", url.rstrip("/"))[-1].removesuffix(".git")
    return Place(name or "repository", mirror.path, cache_file(mirror.path))
