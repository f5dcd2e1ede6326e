"""A release that waits for approval, with all that belongs to it."""

from __future__ import annotations

from typing import Any

from releases.deploys.approving import approvals_open
from releases.deploys.binding import RELATED
from releases.deploys.models import Environment, Run
from releases.projects.models import Project
from tests.factories import make_build, make_environment, make_pipeline, make_project, make_release, make_shipment, sha


def make_place(approvals: int = 1, *, project: Project | None = None, **fields: Any) -> Environment:
    """Production of a project with a pipeline, which takes this many approvals."""
    project = project or make_project()
    if not project.pipelines.exists():
        make_pipeline(project)
    return make_environment(project, **({"approvals": approvals} | fields))


def make_request(place: Environment, tag: str = "v1.0.1", *, opened: bool = True, **fields: Any) -> Run:
    """A deployment of a tagged and built release, asked for in this environment."""
    project = place.project
    release = project.releases.filter(tag=tag).first() or make_release(
        project, tag, tag_object=sha(("tag", project.pk, tag)), tagger="Mira <mira@example.com>"
    )
    build = project.runs.filter(kind="build", tag=tag).last() or make_build(project, tag, release=release)
    run = make_shipment(place, tag, **({"state": "asked", "release": release, "build": build} | fields))
    run = Run.objects.select_related(*RELATED).get(pk=run.pk)
    return approvals_open(run) if opened and run.state == Run.State.ASKED else run
