"""What pages and commands read of the journal."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import Exists, Q, QuerySet

from releases.projects.models import Project

from .models import Operation
from .services import ACTIVE, newer_ones


def operations_of(project: Project, *subjects: str) -> QuerySet[Operation]:
    """Every operation about these subjects (of the whole project without any), newest first."""
    found = Operation.objects.filter(project=project).select_related("actor")
    return found.filter(subject__in=subjects) if subjects else found


def operations_active(project: Project, *subjects: str) -> list[Operation]:
    """Those that wait or run, oldest first: the one whose turn it is comes first."""
    return list(operations_of(project, *subjects).filter(state__in=ACTIVE).order_by("pk"))


def operations_latest(project: Project, *subjects: str) -> dict[str, Operation]:
    """The newest operation of each key: what became of this branch, this tag, this merge-back into that target."""
    latest: dict[str, Operation] = {}
    for operation in operations_of(project, *subjects):
        latest.setdefault(operation.key, operation)
    return latest


def operations_latest_by_kind(project: Project, *subjects: str) -> dict[str, Operation]:
    """The newest operation of each kind."""
    latest: dict[str, Operation] = {}
    for operation in operations_of(project, *subjects):
        latest.setdefault(operation.kind, operation)
    return latest


def operations_open(projects: Iterable[int] | None = None) -> QuerySet[Operation]:
    """What waits, runs, or waits for a person (conflicts, or failed and worth another try), newest first.

    A failure counts only while nothing newer was asked for under the same key.
    """
    found = Operation.objects.filter(Q(state__in=ACTIVE) | Q(state=Operation.State.CONFLICT) | Q(retryable=True))
    if projects is not None:
        found = found.filter(project_id__in=projects)
    return found.filter(~Exists(newer_ones())).select_related("project", "actor")
