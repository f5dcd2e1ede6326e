"""A small shop that can really be shipped: a repository with releases, its mirror, environments and a pipeline.

Its steps are shell commands that write a line to a journal outside of any folder of theirs whenever they are carried
out, so that tests can count what really happened, and wait where a test tells them to.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from releases.deploys.models import Environment, Pipeline, Run, Step
from releases.deploys.settings_services import pipeline_save
from releases.deploys.spec import PipelineSpec, StepKind, StepSpec, Trigger
from releases.hotfixes.models import Hotfix
from releases.hotfixes.observing import hotfixes_observe
from releases.ledger.models import Event
from releases.policies import keeping_up
from releases.projects.models import Project, Release
from releases.projects.services import fetch_request, project_add
from releases.tasks import run_carry_out_here
from tests.factories import make_environment
from tests.gitrepos import Repo, make_repo


@dataclass
class Shop:
    """The repository, what tracks it, and the journal of its steps."""

    repo: Repo
    project: Project
    folder: Path

    @property
    def journal(self) -> Path:
        return self.folder / "journal"

    def did(self) -> list[str]:
        """What the steps wrote, in order."""
        return self.journal.read_text().splitlines() if self.journal.exists() else []

    def release(self, tag: str) -> Release:
        return Release.objects.get(project=self.project, tag=tag)

    def place(self, name: str) -> Environment:
        return Environment.objects.select_related("project", "live").get(project=self.project, name=name)

    def look(self) -> None:
        """Fetch, as after a push."""
        run = fetch_request(self.project, "person")
        keeping_up.project_refresh(run.pk, "test")

    def says(self, word: str, then: str = "") -> str:
        """A command that writes `word`, the environment and the tag to the journal."""
        line = f'echo "{word} $HOTFIXDASH_ENVIRONMENT $HOTFIXDASH_TAG" | tr -s " " >> "{self.journal}"'
        return f"{line}\n{then}" if then else line

    def steps(self) -> list[StepSpec]:
        """Check and build, then deploy and verify everywhere."""
        return [
            StepSpec("tests", StepKind.CHECK, self.says("tests", "grep -q shop app.py")),
            StepSpec("build", StepKind.BUILD, self.says("build", "mkdir out; cp app.py out/"), artifact="out"),
            StepSpec("switch", StepKind.DEPLOY, self.says("deploy", self.unpacked())),
            StepSpec("smoke", StepKind.VERIFY, self.says("verify")),
        ]

    def unpacked(self) -> str:
        """Brings the artifact into a folder named like the environment."""
        slot = f"{self.folder}/$HOTFIXDASH_ENVIRONMENT"
        return f'mkdir -p "{slot}"; tar -xf "$HOTFIXDASH_ARTIFACT" -C "{slot}"; echo "$HOTFIXDASH_TAG" > "{slot}/TAG"'

    def pipeline(self, *steps: StepSpec, trigger: Trigger = Trigger.HAND) -> Pipeline:
        """Save these steps (the usual ones without any) as the next version."""
        return pipeline_save(self.project, PipelineSpec(trigger=trigger, steps=tuple(steps or self.steps())))

    def hotfix(self, tag: str, key: str = "TICKET-7") -> Hotfix:
        """A ticket whose fix was made on a branch of its own, merged and tagged; fetched and observed."""
        self.repo.branch(f"hotfix/{key}", at="main")
        self.repo.commit({"app.py": f"shop {tag}\n"}, f"[HOTFIX] {key}: mend it", branch=f"hotfix/{key}")
        self.repo.tag(tag, at=self.repo.merge(f"hotfix/{key}", into="main", message=f"Merge {key}"), message=tag)
        ticket = Hotfix.objects.create(project=self.project, key=key, title="The till rounds wrongly")
        self.look()
        hotfixes_observe(self.project)
        ticket.refresh_from_db()
        assert ticket.tag == tag
        return ticket

    def tag(self, name: str, text: str = "") -> str:
        """A commit on main with a tag, pushed."""
        commit = self.repo.commit({"app.py": f"shop {text or name}\n"}, f"Version {name}", branch="main")
        self.repo.tag(name, at=commit, message=f"Version {name}")
        return commit


def make_shop(folder: Path, *places: str, **fields: Any) -> Shop:
    """Tagged v1.0.0 and v1.0.1, fetched, with these environments (staging and production without any)."""
    (folder / "remote").mkdir(exist_ok=True)
    repo = make_repo(folder / "remote")
    repo.commit({"app.py": "shop v1.0.0\n", "README": "A shop.\n"}, "Start", branch="main")
    repo.tag("v1.0.0", at="main", message="Version 1.0.0")
    repo.branch("develop", at="main")
    repo.commit({"next.py": "next\n"}, "Begin what is next", branch="develop")
    project, run = project_add(fields.pop("name", "shop"), str(repo.path), operator=True, fetch_every=3600)
    shop = Shop(repo, project, folder)
    shop.tag("v1.0.1")
    assert keeping_up.project_refresh(run.pk, "test") is not None
    project.refresh_from_db()
    for name in places or ("staging", "production"):
        make_environment(project, name, watch_seconds=0, **fields)
    shop.pipeline()
    return shop


def again(run: Run) -> Run:
    """The run as the database has it now."""
    return Run.objects.select_related("environment", "project").get(pk=run.pk)


def states(run: Run) -> list[str]:
    """Its steps' states, in order."""
    return list(Step.objects.filter(run=run).order_by("index").values_list("state", flat=True))


def carried(run: Run) -> Run:
    """Carry it out here, and see it as it stands afterwards."""
    run_carry_out_here(run.pk)
    return again(run)


def until(true: Callable[[], object], seconds: float = 60.0) -> None:
    """Wait until something is true."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.02)


def events_of(run: Run) -> list[str]:
    """The kinds of what the ledger tells of it, in order."""
    return list(Event.objects.filter(subject=f"run:{run.pk}").order_by("pk").values_list("kind", flat=True))
