"""Releases that were taken back: marked until somebody lifts that, and looked for in whatever ships later.

Ledger kinds, with the subject release:<tag>: release.bad, release.mended, release.lifted.
"""

from __future__ import annotations

from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from releases.evidence.verdicts import Code
from releases.git import objects
from releases.git.errors import InvalidValue, MissingObject
from releases.git.repository import Repository
from releases.hotfixes.sight import Sight
from releases.ledger.services import event_write
from releases.projects.history import NO_MIRROR, History, reading, remembered
from releases.projects.models import Project, Release

from .errors import DeployRefused
from .models import BadRelease, Run

FEW = 50
"""Commits of a release up to which each is looked for by its content; of more, only the history counts."""
SECONDS = 20.0
_GONE = (Code.REVERTED, Code.MISSING, Code.NOTHING_OWED)
"""Answers that mean: its change is not in there, or not any more."""


def release_mark_bad(
    project: Project, tag: str, commit: str, why: str, *, actor: Any = None, run: Run | None = None
) -> BadRelease:
    """Mark a release as not to be shipped again without a reason; gives the mark that stands. Raises `DeployRefused`.

    `run` is what took it back.
    """
    why = why.strip()
    if not why:
        raise DeployRefused("comment", "Say what is wrong with it: whoever wants to ship it next has to know.")
    try:
        with transaction.atomic():
            mark = BadRelease.objects.create(
                project=project, tag=tag, commit=commit, why=why, marked_by=actor, run=run
            )  # fmt: skip
            _tell("release.bad", mark, why, actor)
    except IntegrityError:
        return BadRelease.objects.get(project=project, tag=tag, lifted_at=None)
    return mark


def release_mended(mark: BadRelease, commit: str, actor: Any = None, why: str = "") -> None:
    """Name what mends it, a commit, branch or tag: what contains that one is not warned about any more.

    The mark itself stays: the release holds its fault as before. `why` says how that is known. Raises `DeployRefused`.
    """
    commit = _mend(mark, commit.strip())
    said = f"{commit[:7]} mends what {mark.tag} was taken back for."
    with transaction.atomic():
        standing = BadRelease.objects.filter(pk=mark.pk, lifted_at=None)
        if not standing.exists():
            raise DeployRefused("over", f"{mark.tag} is not marked any more.")
        if standing.exclude(fixed_by=commit).update(fixed_by=commit):
            _tell("release.mended", mark, f"{said} {why.strip()}".strip(), actor)
    mark.refresh_from_db()


def _mend(mark: BadRelease, name: str) -> str:
    """The commit that is meant. Raises `DeployRefused` when there is none, or the bad release has it itself."""
    with reading(mark.project) as history:
        git_dir = history.git_dir
        if git_dir is None:
            raise DeployRefused("commit", history.problem or NO_MIRROR)
        try:
            commit = Repository(git_dir).resolve(name)
        except (InvalidValue, MissingObject):
            commit = None
        if commit is None:
            raise DeployRefused("commit", "There is no such commit, branch or tag in the repository.")
        if history.ask(lambda: objects.is_ancestor(git_dir, commit, mark.commit)):
            raise DeployRefused("commit", f"{mark.tag} has {commit[:7]} itself, so that does not mend it.")
    return str(commit)


def release_lift(mark: BadRelease, actor: Any, why: str) -> None:
    """Take the mark away, and say why. Raises `DeployRefused`."""
    why = why.strip()
    if not why:
        raise DeployRefused("comment", "Say why it may be shipped again.")
    with transaction.atomic():
        standing = BadRelease.objects.filter(pk=mark.pk, lifted_at=None)
        if not standing.update(lifted_at=timezone.now(), lifted_by=actor, lifted_why=why):
            raise DeployRefused("over", f"{mark.tag} is not marked any more.")
        _tell("release.lifted", mark, why, actor)
    mark.refresh_from_db()


def _tell(kind: str, mark: BadRelease, why: str, actor: Any) -> None:
    event_write(
        kind, project_id=mark.project_id, actor=actor, actor_name="" if actor else "dashboard",
        subject=f"release:{mark.tag}", why=why, evidence={"commit": mark.commit},
    )  # fmt: skip


def bad_in(project: Project, commit: str, *, but: str = "") -> list[BadRelease]:
    """The bad releases whose change a commit still contains without what mends it, newest first; not that of tag `but`.

    A change that was reverted since is not contained; one that was picked is. Where git cannot say, it counts as
    contained: a warning too many is the smaller harm.
    """
    marks = BadRelease.objects.filter(project=project, lifted_at=None).exclude(tag=but).select_related("marked_by")
    found = list(marks)
    if not found:
        return []
    with reading(project, SECONDS) as history:
        return [mark for mark in found if _contains(mark, commit, history)]


def _contains(mark: BadRelease, commit: str, history: History) -> bool:
    release = Release.objects.filter(project=mark.project_id, tag=mark.tag).select_related("previous").first()
    before = release.previous.commit if release is not None and release.previous is not None else ""
    key = ("bad-in", mark.project_id, mark.commit, before, mark.fixed_by, commit)

    def look() -> bool:
        sight = Sight(mark.project, history)
        if mark.fixed_by and _has(sight, [mark.fixed_by], commit):
            return False
        own = sight.side(mark.commit, [before]) if before else None
        if own and len(own) <= FEW:
            return _has(sight, [info.sha for info in own], commit)
        git_dir = history.git_dir
        if git_dir is None:
            raise MissingObject("The mirror is not here.")
        return objects.is_ancestor(git_dir, mark.commit, commit)

    answer = history.ask(lambda: remembered(key, look))
    return True if answer is None else answer


def _has(sight: Sight, shas: list[str], commit: str) -> bool:
    """Whether a commit has this change in its history or content. Raises MissingObject when git cannot say."""
    verdict = sight.judged(shas, commit, "release")
    if verdict is None or verdict.verdict is Code.UNKNOWN:
        raise MissingObject("Git could not compare the two.")
    return verdict.verdict not in _GONE
