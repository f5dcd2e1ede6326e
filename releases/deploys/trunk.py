"""Continuous release: where the pipeline says so, every merge to main is tagged, and the tag starts a build.

A head is asked for once, as an operation in the journal; what becomes of it (done, refused, tried again by a person)
is that operation's story.
"""

from __future__ import annotations

from datetime import datetime

from releases.operations.models import Operation
from releases.operations.services import operation_request
from releases.policies.flow import FlowPolicy, Preset
from releases.projects.models import Project, Ref, Release

from .models import Pipeline
from .settings_services import pipeline_of
from .spec import PipelineSpec, Trigger


def trunk_observe(project: Project) -> Operation | None:
    """After a look at the remote: ask for a tag on main's head when it is new; None when there is nothing to ask.

    The caller nudges a task for it on commit.
    """
    pipeline = pipeline_of(project)
    if pipeline is None or PipelineSpec.from_data(pipeline.spec).trigger is not Trigger.MAIN:
        return None
    if project.unreleasable_why:
        return None  # A person said that main must not ship; the next look after that is lifted asks.
    head = Ref.objects.filter(
        project=project, name=f"refs/heads/{released_branch(project)}", deleted_at=None
    ).first()  # fmt: skip
    if head is None or not head.commit or head.changed_at <= _continuous_since(project, pipeline):
        return None
    if Release.objects.filter(project=project, commit=head.commit, deleted_at=None).exclude(kind="pre").exists():
        return None
    key = f"tag:{head.commit}"
    if Operation.objects.filter(project=project, key=key).exists():
        return None
    branch = head.name.removeprefix("refs/heads/")
    params = {"branch": branch, "head": head.commit, "naming": PipelineSpec.from_data(pipeline.spec).naming.value}
    operation, made = operation_request(
        project, Operation.Kind.TAG, key, subject=f"commit:{head.commit}", params=params
    )  # fmt: skip
    return operation if made else None


def released_branch(project: Project) -> str:
    """The branch whose merges are released: main under `trunk`, else the first branch that is production."""
    policy = FlowPolicy.from_data(project.policy)
    names = policy.targets if policy.preset is Preset.TRUNK else policy.production
    return next((name for name in names if ":" not in name and "*" not in name), "main")


def _continuous_since(project: Project, pipeline: Pipeline) -> datetime:
    """When a version of the pipeline first said so, without a version that said otherwise since."""
    since = pipeline.made_at
    for version in Pipeline.objects.filter(project=project, version__lt=pipeline.version).order_by("-version"):
        if PipelineSpec.from_data(version.spec).trigger is not Trigger.MAIN:
            break
        since = version.made_at
    return since
