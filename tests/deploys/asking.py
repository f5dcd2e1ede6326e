"""A project over a real repository whose releases wait for approval, with all that belongs to them.

    shop = make_shop(tmp_path, settings, approvals=2)
    run = shop.request("v1.0.1")

`v1.0.0` runs in production, `v1.0.1` mends one line: Mira wrote it, Morgan tagged it, nobody here asked for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.utils import timezone

from hotfixdash.accounts.models import User
from releases.deploys.approving import approvals_open
from releases.deploys.binding import RELATED
from releases.deploys.models import Environment, Run
from releases.projects.models import Project, Release
from releases.projects.services.mirrors import mirror_folder
from tests.factories import (
    make_build,
    make_environment,
    make_pipeline,
    make_project,
    make_release,
    make_shipment,
    make_user,
)
from tests.gitrepos import Repo

APP = "".join(f"line {number}\n" for number in range(1, 41))


@dataclass
class Shop:
    """One project, its mirror, and production."""

    project: Project
    repo: Repo
    place: Environment

    def release(self, tag: str, **fields: Any) -> Release:
        """The row of a tag that the repository has, as a fetch makes it."""
        kind = self.repo.git("cat-file", "-t", f"refs/tags/{tag}")
        named = self.repo.git("rev-parse", f"refs/tags/{tag}")
        commit = self.repo.sha(f"refs/tags/{tag}^{{commit}}")
        when = datetime.fromtimestamp(int(self.repo.git("log", "-1", "--format=%ct", commit)), UTC)
        before = self.project.releases.filter(tagged_at__lt=when).order_by("-tagged_at").first()
        defaults = {
            "commit": commit, "tag_object": named if kind == "tag" else "", "tagged_at": when, "previous": before,
            "tagger": "Morgan <morgan@example.org>",
        }  # fmt: skip
        return make_release(self.project, tag, **(defaults | fields))

    def request(self, tag: str = "v1.0.1", place: Environment | None = None, **fields: Any) -> Run:
        """A deployment of a tagged and built release, asked for; by nobody in person unless told so."""
        place = place or self.place
        release = self.project.releases.filter(tag=tag).first() or self.release(tag)
        facts = {"commit": release.commit, "tag_object": release.tag_object, "release": release}
        build = self.project.runs.filter(kind="build", tag=tag, commit=release.commit).order_by("pk").last()
        build = build or make_build(self.project, tag, **facts)
        defaults = {"state": "asked", "build": build, "digest": build.digest, "asked_at": timezone.now()}
        run = make_shipment(place, tag, **(facts | defaults | fields))
        run = Run.objects.select_related(*RELATED).get(pk=run.pk)
        return approvals_open(run) if run.state == Run.State.ASKED else run

    def runs(self, tag: str, place: Environment | None = None) -> Run:
        """This release was brought to the environment, and runs there."""
        now = timezone.now()
        run = self.request(
            tag, place, state="done", started_at=now, live_at=now, verified_at=now, queued_at=now, finished_at=now
        )
        assert run.environment is not None
        Environment.objects.filter(pk=run.environment_id).update(live=run, live_since=now)
        (place or self.place).refresh_from_db()
        return run

    def person(self, role: str = "release-manager", **fields: Any) -> User:
        """Somebody who sees the project."""
        return make_user(role=role, projects=[self.project], **fields)


def make_shop(folder: Path, settings: Any, approvals: int = 1, **fields: Any) -> Shop:
    """See above; `fields` are the environment's."""
    settings.MIRROR_DIR, settings.EVIDENCE_DIR = folder / "mirrors", folder / "evidence"
    project = make_project()
    make_pipeline(project)
    mirror = mirror_folder(project)
    mirror.parent.mkdir(parents=True, exist_ok=True)
    repo = Repo(mirror)
    repo.commit({"app.py": APP, "README.md": "A small web application.\n"}, "Start")
    repo.tag("v1.0.0", message="Version 1.0.0")
    repo.commit({"app.py": APP.replace("line 7\n", "line seven\n")}, "[HOTFIX] TICKET-7: Mend it", author="mira")
    repo.tag("v1.0.1", message="Version 1.0.1")
    shop = Shop(project, repo, make_environment(project, **({"approvals": approvals} | fields)))
    shop.runs("v1.0.0")
    return shop
