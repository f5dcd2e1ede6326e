"""Put the demo into the dashboard: repositories, log-ins, projects, first verdicts.

Everything goes the way that any repository goes. Projects appear together in one transaction, so a kill leaves
either none of them, or all with a fetch that the worker carries out.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from hotfixdash.accounts.demo import demo_accounts_create
from releases.policies.flow import PRESETS, FlowPolicy, Preset
from releases.policies.models import Target
from releases.policies.plans import plan_set
from releases.projects.models import FetchRun, Project
from releases.projects.services import project_add, project_delete
from releases.projects.services.mirrors import facts_file, mirror_folder, mirror_remove

from .build import CATALOGUE, build
from .others import others_tell
from .shipping import shipping_make
from .tickets import tickets_make

TICKETS = "https://tickets.example.org/{ticket}"
SLOWLY = 30
"""Seconds between two looks at the demo's remotes."""


class NotEmpty(Exception):
    """Something else is tracked already."""


@dataclass(frozen=True, slots=True)
class Way:
    """How one of the demo's projects works, and when its open release ships."""

    preset: Preset = Preset.GITFLOW
    production: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    release: str = ""
    in_days: int = 0

    def policy(self) -> FlowPolicy:
        base = PRESETS[self.preset]
        production, targets = self.production or base.production, self.targets or base.targets
        return replace(base, production=production, targets=targets, ticket_url=TICKETS)

    def planned_for(self, now: datetime) -> datetime:
        """Ten o'clock, so many days ahead."""
        day = timezone.localtime(now) + timedelta(days=self.in_days)
        return day.replace(hour=10, minute=0, second=0, microsecond=0)


WAYS = {
    "checkout-api": Way(targets=("develop", "release/*", "support/*"), release="release/1.3", in_days=1),
    "invoice-web": Way(release="release/2.10", in_days=6),
    "ledger": Way(release="release/3.9", in_days=12),
    "identity": Way(Preset.TRUNK),
    "mobile-bff": Way(Preset.TRUNK),
    "legacy-batch": Way(Preset.MAINTENANCE, production=("stable/4.1",), targets=("main", "stable/4.2")),
}


def demo_folder() -> Path:
    """Where the demo's remotes lie."""
    return Path(settings.DATA_DIR) / "demo"


def demo_projects() -> list[Project]:
    """The projects that the demo made: those whose remote lies in its folder."""
    return list(Project.objects.filter(remote_url__startswith=f"{demo_folder()}/").order_by("pk"))


def demo_install(carry_out: Callable[[int], Any], say: Callable[[str], None], *, beside: bool = False) -> list[Project]:
    """Build the demo, or finish one that was interrupted. Raises NotEmpty when something else is tracked.

    `carry_out` does one queued fetch; `say` is told what is being done; `beside` builds it next to other projects.
    """
    projects = demo_projects()
    if not projects:
        if Project.objects.exists() and not beside:
            raise NotEmpty
        projects = demo_make(say)
    _judge(projects, carry_out, say)
    return projects


def demo_make(say: Callable[[str], None]) -> list[Project]:
    """Repositories, log-ins and projects; their first fetch is queued."""
    now = timezone.now()
    shutil.rmtree(demo_folder(), ignore_errors=True)
    say(f"Building {len(CATALOGUE)} repositories in {demo_folder()} …")
    remotes = {entry.app.name: build(entry, demo_folder(), int(now.timestamp())) for entry in CATALOGUE}
    with transaction.atomic():
        if settings.DEMO_LOGINS_ALLOWED:
            demo_accounts_create()
        return [
            project_add(
                name, str(path), policy=WAYS[name].policy().as_data(), operator=True, fetch_every=SLOWLY
            )[0]
            for name, path in remotes.items()
        ]  # fmt: skip


def demo_remove() -> int:
    """Remove the demo's projects with their mirrors, and its remotes; how many projects went. Others stay."""
    projects = demo_projects()
    for project in projects:
        folder, facts = mirror_folder(project), facts_file(project)
        project_delete(project)
        mirror_remove(folder, facts)
    shutil.rmtree(demo_folder(), ignore_errors=True)
    return len(projects)


def _judge(projects: list[Project], carry_out: Callable[[int], Any], say: Callable[[str], None]) -> None:
    for project in projects:
        waiting = FetchRun.objects.filter(project=project, state=FetchRun.State.QUEUED).first()
        if waiting is not None:
            say(f"Judging {project.name} …")
            carry_out(waiting.pk)
        _plan(project)
        tickets_make(project)
        shipping_make(project)
    others_tell(projects)


def _plan(project: Project) -> None:
    way = WAYS.get(project.name)
    if way is None or not way.release:
        return
    target = Target.objects.filter(project=project, branch=way.release, planned_for=None).first()
    if target is not None:
        plan_set(target, way.planned_for(timezone.now()))
