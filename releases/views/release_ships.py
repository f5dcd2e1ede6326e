"""Where a release is: its artifact, how far it came in each environment, and the buttons that bring it on."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from hotfixdash.accounts.roles import Act
from releases.deploys.models import BadRelease, Environment, Run
from releases.deploys.selectors import RELATED
from releases.projects.models import Project, Release

from . import links, words
from .deploy_words import ShownRun, name_of


@dataclass(slots=True)
class Stop:
    """One environment as this release sees it."""

    environment: Environment
    run: ShownRun | None
    is_live: bool
    deploy_url: str

    @property
    def look(self) -> tuple[str, str, str]:
        """Tone, icon and words."""
        if self.is_live:
            return "ok", "circle-check", "Runs here"
        if self.run is None:
            return "idle", "circle", "Not here yet"
        if self.run.row.state == Run.State.DONE:
            return "idle", "circle-check", "Ran here"
        return self.run.tone, self.run.icon, self.run.state

    @property
    def when(self) -> str:
        if self.is_live:
            return f"since {words.clock(self.environment.live_since)}"
        return words.clock(self.run.row.asked_at) if self.run else ""


class ReleaseShips:
    """What the page of a release says about shipping; three queries."""

    def __init__(self, project: Project, release: Release, acts: Collection[Act]) -> None:
        self.project, self.release, self.acts = project, release, acts
        self.slug = project.slug

    @cached_property
    def runs(self) -> list[Run]:
        rows = Run.objects.filter(project=self.project, tag=self.release.tag).select_related(*RELATED)
        return list(rows.order_by("-pk")[:200])

    @cached_property
    def build(self) -> ShownRun | None:
        """The newest build of it."""
        found = next((run for run in self.runs if run.kind == Run.Kind.BUILD), None)
        return ShownRun(found, self.slug) if found else None

    @property
    def digest(self) -> str:
        done = (run for run in self.runs if run.kind == Run.Kind.BUILD and run.state == Run.State.DONE and run.digest)
        return next((run.digest for run in done), "")

    @property
    def kept(self) -> bool:
        """The file of its artifact is still there."""
        return all(run.artifact_gone_at is None for run in self.runs if run.digest == self.digest)

    @cached_property
    def stops(self) -> list[Stop]:
        rows = Environment.objects.filter(project=self.project, retired_at=None).select_related("live")
        return [self._stop(row) for row in rows.order_by("order", "pk")]

    def _stop(self, row: Environment) -> Stop:
        found = next((run for run in self.runs if run.environment_id == row.pk), None)
        is_live = row.live is not None and row.live.tag == self.release.tag and row.live.commit == self.release.commit
        moving = found is not None and not found.is_over and found.state != Run.State.WATCHING
        may = Act.SHIP in self.acts and self.release.deleted_at is None and not moving
        url = links.environment_act(self.slug, "deploy", row.name, tag=self.release.tag) if may else ""
        return Stop(row, ShownRun(found, self.slug) if found else None, is_live, url)

    @cached_property
    def bad(self) -> BadRelease | None:
        """It was taken back, and the mark stands."""
        rows = BadRelease.objects.filter(project=self.project, tag=self.release.tag, lifted_at=None)
        return rows.select_related("marked_by", "run").first()

    @property
    def bad_by(self) -> str:
        return name_of(self.bad.marked_by) if self.bad else ""

    @property
    def mended(self) -> str:
        """The commit that mends it, short; empty while nobody named one."""
        return self.bad.fixed_by[:7] if self.bad else ""

    @property
    def mend_url(self) -> str:
        """Where it is said what mends it."""
        return links.release_mend(self.slug, self.release.tag) if self.bad and Act.DEPLOY in self.acts else ""

    @property
    def mark_url(self) -> str:
        """Where it is marked as bad by hand, or the mark is taken away."""
        return links.release_mark(self.slug, self.release.tag) if Act.DEPLOY in self.acts else ""


def ships(project: Project, release: Release, person: Any) -> ReleaseShips | None:
    """For signed-in people, where the project has environments or the release was built; else None."""
    if not person.is_authenticated:
        return None
    acts = {act for act in (Act.SHIP, Act.DEPLOY) if person.may(act)}
    found = ReleaseShips(project, release, acts)
    return found if found.stops or found.runs else None
