"""Small planners, so that carrying out can be tried apart from what is planned; and remotes that misbehave."""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from releases.git.push import RefUpdate
from releases.operations import carrying
from releases.operations.models import Operation
from releases.operations.plan import Conflicted, Nothing, Plan
from releases.operations.plans import Planner
from releases.operations.plans.planning import Planning
from releases.policies import keeping_up
from releases.projects.models import Project
from releases.projects.services import project_add
from tests.gitrepos import Repo

DEVELOP = "refs/heads/develop"


def cut(planning: Planning) -> Plan | Nothing:
    """A new branch at a commit."""
    name = f"refs/heads/{planning.params['branch']}"
    commit = planning.params["commit"]
    if planning.refs.get(name) == commit:
        return Nothing("The branch is there already.")
    return Plan((RefUpdate(name, planning.refs.get(name, ""), commit),), "The branch is cut.")


def merge(planning: Planning) -> Plan | Nothing:
    """A merge commit on develop that brings `head` in; the tree is develop's own, which is enough to count merges."""
    tip, head = planning.refs[DEVELOP], planning.params["head"]
    inside = ["git", "--git-dir", str(planning.git_dir)]
    if not subprocess.run([*inside, "merge-base", "--is-ancestor", head, tip], check=False).returncode:
        return Nothing("develop has it already.")
    when = f"{planning.person.at} +0000"
    who = {
        f"GIT_{role}_{field}": value
        for role in ("AUTHOR", "COMMITTER")
        for field, value in (("NAME", planning.person.name), ("EMAIL", planning.person.email), ("DATE", when))
    }
    command = [*inside, "commit-tree", "-p", tip, "-p", head, "-m", "Merge it back", f"{tip}^{{tree}}"]
    made = subprocess.check_output(command, env={"PATH": os.environ["PATH"]} | who, text=True).strip()
    return Plan((RefUpdate(DEVELOP, tip, made),), "It is merged back.", facts={"merge": made})


class Planned:
    """Takes the place of the real planners, counts how often it was asked, and runs what a test wants in between."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked = 0
        self.before: Callable[[Planning], object] = lambda planning: None
        self.after: Callable[[Planning], object] = lambda planning: None
        planners: dict[str, Planner] = {"cut": cut, "merge-back": merge}
        watched = {kind: self._watched(planner) for kind, planner in planners.items()}
        monkeypatch.setattr(carrying, "PLANNERS", watched)

    def _watched(self, planner: Planner) -> Planner:
        def plan(planning: Planning) -> Plan | Nothing | Conflicted:
            self.asked += 1
            self.before(planning)
            made = planner(planning)
            self.after(planning)
            return made

        return plan


def tracked(repo: Repo, name: str = "shop") -> Project:
    """A project over this repository, fetched and judged once."""
    project, run = project_add(name, str(repo.path), operator=True, fetch_every=3600)
    assert keeping_up.project_refresh(run.pk, "test") is not None
    project.refresh_from_db()
    return project


def fixed(repo: Repo) -> str:
    """A commit on a branch of its own, one after v1.0.0."""
    repo.branch("hotfix/TICKET-1", at="v1.0.0")
    text = repo.read("main", "app.py").replace("line 7\n", "line seven\n")
    return repo.commit({"app.py": text}, "[HOTFIX] TICKET-1: mend it", branch="hotfix/TICKET-1")


def merges(repo: Repo, branch: str = "develop") -> int:
    """How many merge commits a branch has."""
    return len(repo.log("--merges", branch))


def remote_refs(repo: Repo) -> dict[str, str]:
    """Every branch and tag of the remote with its object id."""
    lines = repo.git("for-each-ref", "--format=%(refname) %(objectname)", "refs/heads", "refs/tags").splitlines()
    return dict(line.split(" ", 1) for line in lines)


def hook(repo: Repo, name: str, script: str) -> Path:
    """Let the remote run this on every push; gives the hook's file."""
    folder = repo.git_dir / "hooks"
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
    return path


def again(operation: Operation) -> Operation:
    """The operation as the database has it now."""
    return Operation.objects.get(pk=operation.pk)
