"""A tracked project over a real repository, looked at as the worker does after every push."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from releases.hotfixes.models import Hotfix
from releases.hotfixes.observing import hotfixes_observe
from releases.hotfixes.services import hotfix_open, hotfix_triage
from releases.hotfixes.stages import Stage, StageState
from releases.hotfixes.triage import QUESTIONS, Answer
from releases.policies.flow import FlowPolicy
from releases.policies.keeping_up import project_refresh
from releases.projects.models import FetchRun, Project
from releases.projects.services import fetch_request
from tests.factories import make_project
from tests.gitrepos import Repo

APP = "".join(f"line {number}\n" for number in range(1, 41))
YES = {question.key: Answer(True, "Card payments are declined.") for question in QUESTIONS}


def track(repo: Repo, policy: FlowPolicy, name: str = "shop") -> Project:
    """The repository as a tracked project, fetched and judged once."""
    project = make_project(name, remote_url=str(repo.path), operator_path=True, policy=policy.as_data())
    look(project)
    return project


def look(project: Project) -> None:
    """Fetch, judge and observe, as the worker does."""
    run = fetch_request(project, "command")
    ended = project_refresh(run.pk, "test")
    assert ended is not None
    assert ended.state == FetchRun.State.DONE, ended.error_text
    project.refresh_from_db()
    hotfixes_observe(project)


def opened(project: Project, key: str = "TICKET-7", **fields: Any) -> Hotfix:
    """A ticket on the hotfix track."""
    hotfix = hotfix_open(project, key, "Card payments are declined", **fields)
    return hotfix_triage(hotfix, YES)


def states(hotfix: Hotfix) -> dict[str, str]:
    """State by stage, as observed last."""
    hotfix.refresh_from_db()
    return {stage["key"]: stage["state"] for stage in hotfix.stages}


def stage(hotfix: Hotfix, key: str) -> Stage:
    hotfix.refresh_from_db()
    return next(Stage.from_data(data) for data in hotfix.stages if data["key"] == key)


def reached(hotfix: Hotfix) -> Iterator[str]:
    """Stages that are done, in order."""
    hotfix.refresh_from_db()
    return (data["key"] for data in hotfix.stages if data["state"] == StageState.DONE)


def app(*changes: tuple[int, str]) -> str:
    """The application's file with some lines replaced."""
    lines = APP.splitlines()
    for number, text in changes:
        lines[number - 1] = text
    return "\n".join(lines) + "\n"


def folder(tmp_path: Path, settings: Any) -> None:
    """Mirrors and facts of this test only."""
    settings.MIRROR_DIR = tmp_path / "mirrors"
    settings.EVIDENCE_DIR = tmp_path / "evidence"
