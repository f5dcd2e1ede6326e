"""Plans made for real repositories: through the mirror's session, as the worker makes them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from releases.git.commits import Person
from releases.git.mirror import Mirror
from releases.git.remotes import RemotePolicy
from releases.operations.plan import Conflicted, Nothing, Plan
from releases.operations.plans import PLANNERS
from releases.operations.plans.planning import Planning
from releases.policies.flow import FlowPolicy
from tests.gitrepos import Repo, make_repo

ASKED = Person("Aiko", "aiko@example.org", 1_768_000_000)
"""Who asks in these tests, and when."""
LINES = "".join(f"line {number}\n" for number in range(1, 41))
PLAIN = FlowPolicy()


def line_changed(number: int, to: str, of: str = LINES) -> str:
    return of.replace(f"line {number}\n", f"{to}\n")


class Desk:
    """One remote with its mirror; operations are planned and pushed as the worker does it, without the journal."""

    def __init__(self, folder: Path, repo: Repo, policy: FlowPolicy = PLAIN) -> None:
        self.repo = repo
        self.policy = policy
        self.mirror = Mirror(folder / "mirror.git", str(repo.path), RemotePolicy(operator=True))

    def plan(self, kind: str, *, project_pk: int = 0, person: Person = ASKED, **params: Any) -> Any:
        """What the planner of this kind says now."""
        with self.mirror.changing() as session:
            planning = Planning(session.git_dir, session.refs, self.policy, params, person, project_pk)
            return PLANNERS[kind](planning)

    def do(self, kind: str, **params: Any) -> Plan:
        """Plan and push; what comes back must be a plan."""
        with self.mirror.changing() as session:
            planning = Planning(session.git_dir, session.refs, self.policy, params, ASKED, 0)
            plan = PLANNERS[kind](planning)
            assert isinstance(plan, Plan), plan
            session.push(plan.updates)
        return plan

    def tree(self, rev: str) -> str:
        return self.repo.git("rev-parse", f"{rev}^{{tree}}")

    def parents(self, rev: str) -> list[str]:
        return self.repo.git("rev-list", "--parents", "-n", "1", rev).split()[1:]

    def message(self, rev: str) -> str:
        return self.repo.git("log", "-1", "--format=%B", rev)

    def under(self, **changes: Any) -> Desk:
        """From now on with another policy."""
        self.policy = replace(self.policy, **changes)
        return self


def make_desk(folder: Path, policy: FlowPolicy = PLAIN) -> Desk:
    """main with v1.2.0, develop one feature ahead, and a hotfix branch from the tag with one commit on it."""
    repo = make_repo(folder)
    repo.commit({"app.py": LINES, "VERSION": "1.2.0\n"}, "Start")
    repo.tag("v1.2.0", message="Version 1.2.0")
    repo.branch("develop")
    repo.commit(
        {"feature.py": "feature = 1\n", "VERSION": "1.3.0.dev\n"}, "TICKET-9 the next feature", branch="develop"
    )
    repo.branch("hotfix/TICKET-1", "v1.2.0")
    repo.commit({"app.py": line_changed(5, "mended")}, "[HOTFIX] TICKET-1: mend the checkout", branch="hotfix/TICKET-1")
    return Desk(folder, repo, policy)


__all__ = ["ASKED", "LINES", "Conflicted", "Desk", "Nothing", "Plan", "line_changed", "make_desk"]
