"""A project with a hotfix in its past, a drill of it, and people who play: with git on their own clone, and buttons."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from incidents.drills.models import Drill
from incidents.drills.preparing import drill_prepare
from incidents.drills.selectors import clone_url
from incidents.drills.services import drill_start
from releases.deploys.approving import approve
from releases.deploys.binding import binding_of
from releases.deploys.following import hotfixes_follow
from releases.deploys.models import Environment, Run
from releases.deploys.promoting import run_follow_up, runs_to_follow_up, shipping_observe
from releases.hotfixes.models import Hotfix
from releases.hotfixes.observing import hotfixes_observe
from releases.hotfixes.requests import Standing, finish_ask
from releases.hotfixes.services import hotfix_choose_way, hotfix_review
from releases.operations.carrying import operation_carry_out
from releases.operations.models import Operation
from releases.operations.services import operation_request
from releases.policies.flow import PRESETS, FlowPolicy, Preset
from releases.policies.keeping_up import project_refresh
from releases.policies.models import Fix
from releases.projects.models import Project
from releases.projects.services import fetch_request
from releases.tasks import fetch_carry_out, run_carry_out_here
from tests.gitrepos import Repo, make_repo
from tests.hotfixes.playing import look, opened

BEFORE = (
    "def total(prices):\n    result = 0\n    for price in prices:\n        result += price * 100\n    return result\n"
)
AFTER = BEFORE.replace("price * 100", "round(price * 100)")
FILLER = "".join(f"# {number}\n" for number in range(20))
TEST = "from shop import total\n\n\ndef test_cents():\n    assert total([0.29]) == 29\n"


def folders(tmp_path: Path, settings: Any) -> None:
    """Everything that a drill writes, below this test's folder."""
    settings.DATA_DIR = tmp_path / "data"
    for name, folder in (("MIRROR_DIR", "mirrors"), ("EVIDENCE_DIR", "evidence"), ("DRILLS_DIR", "drills")):
        setattr(settings, name, settings.DATA_DIR / folder)


@dataclass
class Real:
    """The project that is drilled, and its one hotfix of the past."""

    repo: Repo
    project: Project

    @property
    def fix(self) -> Fix:
        return Fix.objects.select_related("release__previous").get(project=self.project, chore=False, present=True)

    def refs(self) -> str:
        """Every reference of the real remote with what it names."""
        return self.repo.git("for-each-ref")


def make_real(folder: Path, preset: Preset = Preset.GITFLOW, name: str = "shop", **fields: Any) -> Real:
    """v1.0.0, and v1.0.1 with a fix in a line that is wrong in v1.0.0; the fix is in develop, too."""
    (folder / name).mkdir(parents=True, exist_ok=True)
    repo = make_repo(folder / name)
    repo.commit({"shop.py": FILLER + BEFORE, "README": "A shop.\n"}, "Begin", branch="main")
    repo.tag("v1.0.0", at="main", message="Version 1.0.0")
    repo.branch("develop", at="main")
    repo.commit({"next.py": "next\n"}, "Begin what is next", branch="develop")
    repo.branch("hotfix/TICKET-1", at="v1.0.0")
    repo.commit(
        {"shop.py": FILLER + AFTER, "tests/test_shop.py": TEST}, "[HOTFIX] TICKET-1: keep cents whole",
        branch="hotfix/TICKET-1",
    )  # fmt: skip
    repo.merge("hotfix/TICKET-1", "main")
    repo.tag("v1.0.1", at="main", message="Version 1.0.1")
    repo.merge("hotfix/TICKET-1", "develop")
    repo.delete("hotfix/TICKET-1")
    repo.commit({"later.py": "later\n"}, "Go on", branch="develop")
    return track_real(repo, PRESETS[preset], name, **fields)


def track_real(repo: Repo, policy: FlowPolicy, name: str, **fields: Any) -> Real:
    """The repository as a project, fetched and judged."""
    project = Project.objects.create(
        name=name, slug=name, remote_url=str(repo.path), operator_path=True, policy=policy.as_data(), **fields
    )
    run = fetch_request(project, "command")
    ended = project_refresh(run.pk, "test")
    assert ended is not None
    assert ended.state == "done", ended.error_text
    project.refresh_from_db()
    return Real(repo, project)


def prepare(drill: Drill) -> Drill:
    """What a worker does with it."""
    done = drill_prepare(drill.pk, "test", fetch_carry_out, run_carry_out_here)
    assert done is not None
    return done


def make_drill(real: Real, scenario: str = "replay", actor: Any = None) -> Drill:
    """Asked for and prepared."""
    drill = prepare(drill_start(real.project, scenario, real.fix, actor))
    assert drill.state == Drill.State.RUNNING, drill.error
    return drill


def git(folder: Path | str, *args: str, check: bool = True) -> str:
    """What somebody types in their own clone."""
    env = {
        "PATH": os.environ["PATH"], "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_AUTHOR_NAME": "Ela", "GIT_AUTHOR_EMAIL": "ela@example.org", "GIT_COMMITTER_NAME": "Ela",
        "GIT_COMMITTER_EMAIL": "ela@example.org", "GIT_EDITOR": "true", "LC_ALL": "C",
    }  # fmt: skip
    done = subprocess.run(["git", "-C", str(folder), *args], capture_output=True, text=True, env=env)
    assert not check or done.returncode == 0, done.stderr + done.stdout
    return done.stdout + ("" if check else done.stderr)


class Player:
    """Somebody who ships a hotfix in a drill: Ela writes it, Rob reviews and approves it, Lea leads."""

    def __init__(self, drill: Drill, folder: Path, lead: Any, other: Any) -> None:
        assert drill.copy is not None
        self.drill, self.copy, self.lead, self.other = drill, drill.copy, lead, other
        self.clone = folder / "clone"
        folder.mkdir(parents=True, exist_ok=True)
        git(folder, "clone", "--quiet", clone_url(drill), str(self.clone))
        self.hotfix: Hotfix | None = None

    def see(self) -> None:
        """What the dashboard does after a push: fetch, judge, observe, and build what is newly tagged."""
        look(self.copy)
        shipping_observe(self.copy)

    def write_fix(self, key: str = "TICKET-9") -> Hotfix:
        """Ticket, triage, branch from the production tag, fix with a test, pushed."""
        self.hotfix = opened(self.copy, key)
        hotfix_choose_way(self.hotfix, Hotfix.Way.CUT, "Only this may go out today.", self.lead)
        branch = f"hotfix/{key}"
        git(self.clone, "switch", "--quiet", "-c", branch, self.drill.params["begins_at"])
        (self.clone / "tests").mkdir(exist_ok=True)
        (self.clone / "shop.py").write_text(FILLER + AFTER)
        (self.clone / "tests" / "test_shop.py").write_text(TEST)
        git(self.clone, "add", ".")
        git(self.clone, "commit", "--quiet", "-m", f"[HOTFIX] {key}: keep cents whole again")
        git(self.clone, "push", "--quiet", "origin", branch)
        self.see()
        self.hotfix.refresh_from_db()
        return self.hotfix

    def review(self) -> None:
        assert self.hotfix is not None
        hotfix_review(self.hotfix, "approve", "", self.hotfix.head, self.other)
        hotfixes_observe(self.copy)
        self.hotfix.refresh_from_db()

    def finish(self) -> None:
        """The button: merged to production's branch and tagged."""
        assert self.hotfix is not None
        ask = finish_ask(Standing(self.hotfix))
        made, _new = operation_request(
            self.copy, ask.kind, ask.key, subject=ask.subject, params=ask.params, actor=self.lead
        )  # fmt: skip
        operation_carry_out(made.pk, "test")
        made.refresh_from_db()
        assert made.state == Operation.State.DONE, made.error_text
        self.see()
        self.hotfix.refresh_from_db()

    def ship(self, most: int = 40) -> Run | None:
        """Carry out, approve, until nothing is left to do; gives a run that failed."""
        for _ in range(most):
            for run in runs_to_follow_up():
                run_follow_up(run)
            runs = Run.objects.filter(project=self.copy).select_related("environment", "project", "release")
            failed = runs.order_by("-pk").first()
            if failed is not None and failed.state == Run.State.FAILED:
                return failed
            asked, queued = runs.filter(state="asked").first(), runs.filter(state="queued").first()
            if asked is not None:
                approve(asked, self.other, "Looked at it.", binding=binding_of(asked))
            elif queued is not None:
                run_carry_out_here(queued.pk)
            else:
                break
        hotfixes_follow()
        hotfixes_observe(self.copy)
        if self.hotfix is not None:
            self.hotfix.refresh_from_db()
        return None

    def merge_back(self, branch: str = "develop", resolved: str = "") -> str:
        """By hand: merge the hotfix's branch, resolve what conflicts, push. Gives what git said to the merge."""
        assert self.hotfix is not None
        git(self.clone, "fetch", "--quiet", "origin")
        git(self.clone, "switch", "--quiet", "-C", branch, f"origin/{branch}")
        said = git(self.clone, "merge", "--no-edit", f"origin/{self.hotfix.branch}", check=False)
        if "CONFLICT" in said:
            assert resolved, said
            (self.clone / "shop.py").write_text(resolved)
            git(self.clone, "add", ".")
            git(self.clone, "commit", "--quiet", "--no-edit")
        git(self.clone, "push", "--quiet", "origin", branch)
        self.see()
        self.hotfix.refresh_from_db()
        return said

    def clean_up(self) -> None:
        assert self.hotfix is not None
        git(self.clone, "push", "--quiet", "origin", "--delete", self.hotfix.branch)
        self.see()


def places(drill: Drill) -> list[Environment]:
    return list(Environment.objects.filter(project=drill.copy).order_by("order"))
