"""One repository per kind of operation, just before it: what would be asked for, and what must be there afterwards."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from releases.operations.carrying import operation_carry_out
from releases.operations.models import Operation
from releases.projects.models import Project
from tests.factories import make_operation
from tests.gitrepos import Repo, make_flow

from .small import fixed, remote_refs, tracked

BRANCH = "hotfix/TICKET-1"


@dataclass
class Story:
    """A remote, and the operation that somebody asks for."""

    repo: Repo
    kind: str
    params: dict[str, Any]
    project: Project
    operation: Operation
    merges: int
    """Merge commits that all branches have together afterwards."""
    tags: int
    """Tags that the remote has afterwards."""


def _cut(repo: Repo) -> dict[str, Any]:
    return {"branch": BRANCH, "tag": "v1.0.0", "commit": repo.sha("v1.0.0")}


def _finish(repo: Repo) -> dict[str, Any]:
    fixed(repo)
    return {"branch": BRANCH, "production": "main", "tag": "v1.0.1", "method": "merge", "message": "Version 1.0.1"}


def _merge_back(repo: Repo) -> dict[str, Any]:
    fix = fixed(repo)
    merge = repo.merge(BRANCH, into="main", message="Merge the fix")
    repo.tag("v1.0.1", at=merge, message="Version 1.0.1")
    return {
        "fix_key": fix, "commits": [fix], "tip": fix, "target": "develop", "method": "merge", "ticket": "TICKET-1",
        "onto_branch": "", "branch": BRANCH,
    }  # fmt: skip


def _clean_up(repo: Repo) -> dict[str, Any]:
    fix = fixed(repo)
    for branch in ("main", "develop"):
        repo.merge(BRANCH, into=branch, message=f"Merge the fix into {branch}")
    return {"branch": BRANCH, "head": fix, "targets": ["develop"], "commits": [fix]}


def _revert(repo: Repo) -> dict[str, Any]:
    return {"branch": "develop", "commits": [repo.sha("develop")], "ticket": "TICKET-1"}


def _reapply(repo: Repo) -> dict[str, Any]:
    undone = repo.revert(repo.sha("develop"), on="develop")
    return {"branch": "develop", "reverts": [undone], "ticket": "TICKET-1"}


def _tag(repo: Repo) -> dict[str, Any]:
    return {"branch": "main", "head": repo.commit({"more.py": "more = 1\n"}, "More", branch="main"), "naming": "patch"}


_STORIES: dict[str, tuple[Callable[[Repo], dict[str, Any]], int, int]] = {
    "cut": (_cut, 0, 1),
    "finish": (_finish, 1, 2),
    "merge-back": (_merge_back, 2, 2),
    "clean-up": (_clean_up, 2, 1),
    "revert": (_revert, 0, 1),
    "re-apply": (_reapply, 0, 1),
    "tag": (_tag, 0, 2),
}
KINDS = tuple(_STORIES)


def make_story(folder: Path, kind: str, name: str = "shop") -> Story:
    """The remote just before, tracked, with the operation waiting."""
    write, merges, tags = _STORIES[kind]
    repo = make_flow(folder)
    params = write(repo)
    project = tracked(repo, name)
    operation = make_operation(project, kind, params=params)
    return Story(repo, kind, params, project, operation, merges, tags)


def undisturbed(story: Story, folder: Path) -> dict[str, str]:
    """What the remote's refs are after the same operation on a copy of it, where nothing goes wrong."""
    path = folder / "copy.git"
    shutil.copytree(story.repo.path, path)
    repo = Repo.__new__(Repo)
    repo.__dict__ = story.repo.__dict__ | {"path": path, "git_dir": path, "_trees": {}}
    asked = {"asked_at": story.operation.asked_at, "key": "copy", "subject": "hotfix:COPY"}
    operation = make_operation(tracked(repo, "copy"), story.kind, params=story.params, **asked)
    ended = operation_carry_out(operation.pk, "undisturbed")
    assert ended is not None
    assert ended.error_text == ""
    assert ended.state == "done"
    return remote_refs(repo)
