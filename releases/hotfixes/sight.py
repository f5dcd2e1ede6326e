"""What is asked of a project's mirror about its hotfix branches: a few quick questions each, none on a missing mirror.

A question that git cannot answer now gives None; what was known before then stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

from releases.evidence.engine import Engine
from releases.evidence.history import History as Judged
from releases.evidence.store import FactStore
from releases.evidence.verdicts import FixVerdict
from releases.git import objects
from releases.git.containment import refs_containing
from releases.git.page_reads import CommitInfo, FileCount
from releases.projects.history import History, remembered
from releases.projects.models import Project
from releases.projects.services.mirrors import facts_file
from releases.projects.services.refs import clean

MOST_COMMITS = 200
"""Commits of one fix that are kept."""
SECONDS = 60.0
"""For all questions of one look at a project."""
WAITING = 8.0
"""The same while a person waits for it."""


class Sight:
    """One project's mirror for the length of one observation."""

    def __init__(self, project: Project, history: History) -> None:
        self.project = project
        self.history = history

    @property
    def git_dir(self) -> Path | None:
        return self.history.git_dir

    def side(self, head: str, excluded: Sequence[str]) -> list[CommitInfo] | None:
        """Commits (no merges) that `head` has and the excluded ones have not, oldest first."""
        git_dir = self.git_dir
        if git_dir is None:
            return None
        spans = [head, *(f"^{sha}" for sha in dict.fromkeys(excluded))]
        options = ("--no-merges", "--topo-order", f"--max-count={MOST_COMMITS}")
        shas = self.history.ask(lambda: list(objects.walk(git_dir, spans, *options)))
        if shas is None:
            return None
        known = self.history.commits(shas)
        return [known[sha] for sha in reversed(shas) if sha in known]

    def naming(self, key: str, tips: Sequence[str], since: datetime) -> list[CommitInfo]:
        """Commits (no merges) made since then, reachable from the tips, whose message has the key; oldest first."""
        git_dir = self.git_dir
        if git_dir is None or not tips:
            return []
        options = (
            "--no-merges", "--topo-order", f"--max-count={MOST_COMMITS}", f"--since={int(since.timestamp())}",
            f"--grep={key}", "--fixed-strings", "--regexp-ignore-case",
        )  # fmt: skip
        shas = self.history.ask(lambda: list(objects.walk(git_dir, list(dict.fromkeys(tips)), *options))) or []
        known = self.history.commits(shas)
        return [known[sha] for sha in reversed(shas) if sha in known]

    def reached(self, shas: Sequence[str], head: str) -> set[str] | None:
        """Those of these commits that `head` has in its history."""
        git_dir = self.git_dir
        if git_dir is None:
            return None
        known = list(self.history.commits(shas)) if shas else []
        missing = self.history.ask(lambda: objects.unreached(git_dir, known, head))
        return None if missing is None else set(known) - missing

    def holders(self, sha: str) -> frozenset[str]:
        """Full names of the branches and tags that contain a commit; none when it is not here."""
        git_dir = self.git_dir
        if git_dir is None or not self.history.commits([sha]):
            return frozenset()
        return self.history.ask(lambda: refs_containing(git_dir, sha)) or frozenset()

    def fork(self, head: str, other: str) -> str:
        """Where two lines parted; empty when they never met, or git cannot say."""
        git_dir = self.git_dir
        if git_dir is None or not other:
            return ""
        return next(iter(self.history.ask(lambda: objects.merge_bases(git_dir, [head, other])) or ()), "")

    def files(self, since: str, until: str) -> tuple[tuple[FileCount, ...], int] | None:
        """The files that differ."""
        return self.history.files(since, until)

    def judged(self, shas: Sequence[str], tip: str, name: str) -> FixVerdict | None:
        """Whether the line that ends at `tip` has these commits, by the same evidence as every verdict."""
        if not shas:
            return None
        found = self.history.ask(lambda: self._judge([list(shas)], {sha: sha for sha in shas}, tip, name))
        return found[0] if found else None

    def there(self, shas: Sequence[str], tip: str, name: str) -> set[str]:
        """Those of these commits that the line has in whatever shape, each judged alone; none when git cannot tell."""
        if not shas:
            return set()
        # One name for all such questions: what is kept for going on from takes the place of what was kept before.
        asked = {f"asked#{sha}": sha for sha in shas}
        groups = [[sha] for sha in shas]
        found = self.history.ask(
            lambda: remembered(("there", tip, *shas), lambda: self._judge(groups, asked, tip, name))
        )  # fmt: skip
        return {sha for sha, verdict in zip(shas, found or (), strict=bool(found)) if verdict.settled}

    def _judge(self, groups: Sequence[Sequence[str]], asked: dict[str, str], tip: str, name: str) -> list[FixVerdict]:
        assert self.git_dir is not None  # noqa: S101 - nothing is asked without a mirror
        path = facts_file(self.project)
        store = FactStore(path) if path.exists() else None
        try:
            with closing(Judged(self.git_dir, asked, {name: tip})) as history:
                return Engine(history, store).judge(groups)[name]
        finally:
            if store is not None:
                store.close()


def commit_data(info: CommitInfo) -> dict[str, Any]:
    """A commit as tickets and fixes keep it."""
    return {
        "sha": info.sha,
        "subject": clean(info.subject, 500),
        "author_name": clean(info.author, 200),
        "author_email": clean(info.email, 254),
        "authored_at": int(info.authored_at.timestamp()) if info.authored_at else 0,
    }
