"""A project's mirror and cached facts on this worker's disk: where they lie, and a fresh look at the remote."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from releases.git import objects
from releases.git.credentials import Credential as GitCredential
from releases.git.mirror import FetchResult, Mirror
from releases.git.mirror_refs import Moved
from releases.git.remotes import RemotePolicy
from releases.git.repository import RefRow, Repository, locate, ref_text

from ..models import Credential, Project, Ref
from ..secrets import decrypt

LOCK_WAIT = 300.0
"""Seconds to wait for upkeep, or for the git of a worker that died, to let the mirror go."""
MOST_ASKED = 200
"""Branches for which git is asked one by one whether they moved forward."""


@dataclass(frozen=True, slots=True)
class Glance:
    """What a fetch left in the mirror, names only: enough to tell whether anything is new."""

    git_dir: Path
    listing: dict[str, str]
    """Full name of every branch and tag → object id."""
    result: FetchResult

    @property
    def branches(self) -> list[str]:
        """Short names."""
        return [name.removeprefix("refs/heads/") for name in self.listing if name.startswith("refs/heads/")]

    @property
    def tags(self) -> list[str]:
        """Short names."""
        return [name.removeprefix("refs/tags/") for name in self.listing if name.startswith("refs/tags/")]


@dataclass(frozen=True, slots=True)
class Look:
    """What the mirror holds, as far as rows are made of it."""

    refs: tuple[RefRow, ...]
    """Every branch and tag."""
    forced: frozenset[str] = frozenset()
    """Full names of branches that moved other than forward."""
    shallow: bool = False
    commits: int = 0


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


def mirror_of(project: Project, *, lock_wait: float = LOCK_WAIT) -> Mirror:
    """The project's mirror, with what it needs to be let in. Raises `SecretUnreadable`.

    `lock_wait`: seconds after which it is `Busy` when somebody else writes to it.
    """
    policy = _policy_of(project)
    stored = None if project.is_drill else Credential.objects.filter(project=project).first()
    credential = stored and GitCredential(stored.kind, decrypt(stored.secret), stored.username, stored.known_hosts)
    folder = mirror_folder(project)
    return Mirror(
        folder, project.remote_url, policy, credential or None, timeout=settings.GIT_TIMEOUT, lock_wait=lock_wait
    )


def drill_policy() -> RemotePolicy:
    """What a throw-away copy may speak to: repositories of drills on this machine, nothing else."""
    return RemotePolicy(roots=(str(settings.DRILLS_DIR),), local_only=True)


def _policy_of(project: Project) -> RemotePolicy:
    """Which remotes it may speak to: a drill's copy only to repositories of drills, wherever its row may lead."""
    if project.is_drill:
        return drill_policy()
    return RemotePolicy(
        roots=tuple(settings.GIT_ALLOWED_ROOTS),
        private_hosts=tuple(settings.GIT_ALLOW_PRIVATE_HOSTS),
        operator=project.operator_path,
    )


def mirror_fetch(project: Project) -> Glance:
    """Bring the mirror up to date and say what it names now. Raises `GitError`, `SecretUnreadable`."""
    result = mirror_of(project).fetch()
    git_dir = locate(mirror_folder(project))
    return Glance(git_dir, {ref_text(name): sha for name, sha in result.refs.items()}, result)


def mirror_look(project: Project, glance: Glance) -> Look:
    """Read what rows are made of. Raises `GitError`."""
    repository = Repository(glance.git_dir)
    refs = tuple(repository.refs())
    return Look(
        refs=refs,
        forced=_forced(project, glance.git_dir, refs, glance.result),
        shallow=repository.is_shallow(),
        commits=repository.commit_count(),
    )


def _forced(project: Project, git_dir: Path, refs: Sequence[RefRow], result: FetchResult) -> frozenset[str]:
    """Branches that moved other than forward since they were last written down.

    The fetch knows of its own; what an earlier one brought, whose worker died before writing it down, is asked of git.
    """
    written = Ref.objects.filter(project=project, deleted_at=None, name__startswith="refs/heads/")
    before = dict(written.values_list("name", "sha"))
    told = {change.name: change for change in result.changes}
    forced: set[str] = set()
    asked = 0
    for ref in refs:
        old = before.get(ref.name)
        if old is None or old == ref.sha:
            continue
        change = told.get(ref.name)
        if change is not None and change.old == old:
            lost = change.kind is Moved.FORCED
        else:
            asked += 1
            lost = asked <= MOST_ASKED and not objects.is_ancestor(git_dir, old, ref.sha)
        if lost:
            forced.add(ref.name)
    return frozenset(forced)


def mirror_tidy(project: Project) -> bool:
    """Upkeep that nobody waits for: commit-graph filters, few packs. True when something was done."""
    return mirror_of(project).maintain()


def history_walk(git_dir: Path, tips: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """(commit, parents) of everything that these commits contain, children before parents."""
    for line in objects.walk(git_dir, tips, "--topo-order", "--parents") if tips else ():
        commit, *parents = line.split()
        yield commit, parents
