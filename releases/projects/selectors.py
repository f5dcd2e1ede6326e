"""Projects as pages read them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from django.db.models import Count, Max, Q, QuerySet, Sum
from django.db.models.fields.json import KT

from releases.ledger.models import Event

from .in_production import Running, read_running, release_in_production, running
from .models import FetchRun, Project, Ref, Release

ACTIVE = (FetchRun.State.QUEUED.value, FetchRun.State.RUNNING.value)
_DEFAULT_SLA_HOURS = 48


@dataclass(slots=True)
class ProjectRow:
    """One project with its release in production and its mirror's health."""

    pk: int
    name: str
    slug: str
    preset: str
    sla_hours: int
    remote_url: str
    visibility: str
    created_at: datetime
    fetched_at: datetime | None
    judged_at: datetime | None
    error_text: str
    error_code: str
    error_since: datetime | None
    tag: str
    tagged_at: datetime | None
    """Since when the release in production is out: where its environments tell, since when it runs; else the tag's
    date, or when it was first seen."""
    running: tuple[Running, ...] = ()
    """What the environments of production run, where they tell."""
    run_state: str = ""
    """queued or running while it is being looked at."""
    run_stage: str = ""

    @property
    def differing(self) -> tuple[Running, ...]:
        """Environments of production that run another release than the first one does."""
        return tuple(place for place in self.running if place.tag != self.tag)

    @property
    def silence(self) -> str:
        """What went wrong with the last look, in a few words that stand before the project's name."""
        return "Git has not answered for" if self.error_code in ("unreachable", "timed-out") else "Git could not read"

    @property
    def visibility_label(self) -> str:
        return Project.Visibility(self.visibility).label


_READ = (
    "remote_url", "visibility", "created_at", "fetched_at", "judged_at", "error_text", "error_code", "error_since",
)  # fmt: skip
_FIELDS = (
    "pk", "name", "slug", "preset", "sla", "stages_told", "running", *_READ,
    "production_release__tag", "production_release__tagged_at", "production_release__first_seen_at",
)  # fmt: skip


def project_rows(projects: QuerySet[Project]) -> list[ProjectRow]:
    """By name; one query."""
    told = projects.annotate(preset=KT("policy__preset"), sla=KT("policy__sla_hours")).order_by("name")
    rows = []
    for found in told.values_list(*_FIELDS):
        pk, name, slug, preset, sla, stages_told, stored, *read = found[:-3]
        tag, tagged, seen = found[-3:]
        row = dict(zip(_READ, read, strict=True))
        hours = int(sla or _DEFAULT_SLA_HOURS)
        places = read_running(stages_told, stored)
        row |= {"tag": tag or "", "tagged_at": tagged or seen, "running": places}
        if places:
            row |= {"tag": places[0].tag, "tagged_at": places[0].since}
        rows.append(ProjectRow(pk, name, slug, preset or "gitflow", hours, **row))
    return rows


def stamp(projects: QuerySet[Project]) -> tuple[Any, ...]:
    """Changes when another set of projects is seen, or one of them was read, judged, or failed. One query."""
    told = projects.order_by().aggregate(
        n=Count("pk"), ids=Sum("pk"), read=Max("fetched_at"), judged=Max("judged_at"), known=Count("judged_at"),
        failures=Sum("failures"), silent=Max("error_since"), live=Sum("production_release"),
        decided=Max("decided_at"),
    )  # fmt: skip
    return tuple(told.values())


def active_stamp(projects: QuerySet[Project]) -> tuple[Any, ...]:
    """Changes when a look at one of the projects' remotes is asked for, starts or ends. One query."""
    runs = FetchRun.objects.filter(state__in=ACTIVE, project__in=projects.order_by().values("pk"))
    return tuple(runs.aggregate(n=Count("pk"), ids=Sum("pk"), running=Count("started_at")).values())


def active_runs(projects: QuerySet[Project] | list[int]) -> dict[int, tuple[str, str]]:
    """Project id → (state, stage) of the fetch that waits or runs; a running one wins. One query."""
    runs = FetchRun.objects.filter(project__in=projects, state__in=ACTIVE).order_by("state")
    return {pk: (state, stage) for pk, state, stage in runs.values_list("project_id", "state", "stage")}


def latest_run(project: Project) -> FetchRun | None:
    """The last look at the remote that was asked for, whatever became of it."""
    return project.fetch_runs.select_related("asked_by").first()


def ref_counts(project: Project) -> dict[str, int]:
    """Branches and tags on the remote as last seen, and how many were deleted since. One query."""
    gone = Q(deleted_at__isnull=False)
    return Ref.objects.filter(project=project).aggregate(
        branches=Count("pk", filter=Q(name__startswith="refs/heads/") & ~gone),
        tags=Count("pk", filter=Q(name__startswith="refs/tags/") & ~gone),
        deleted=Count("pk", filter=gone),
        forced=Count("pk", filter=Q(forced_at__isnull=False)),
        forced_at=Max("forced_at"),
    )


def branch_names(project: Project, limit: int = 200) -> list[str]:
    """Short names of the branches there are, for suggestions in the policy form."""
    rows = Ref.objects.filter(project=project, name__startswith="refs/heads/", deleted_at=None)
    return [name.removeprefix("refs/heads/") for name in rows.order_by("name").values_list("name", flat=True)[:limit]]


def production_releases(project: Project, limit: int = 5) -> list[dict[str, Any]]:
    """The newest releases that went into production, newest version first; none above the one that runs there."""
    rows = Release.objects.filter(project=project, on_production=True, deleted_at=None).exclude(kind=Release.Kind.PRE)
    if running(project) and (now := release_in_production(project)) is not None:
        rows = rows.filter(sort_key__lte=now.sort_key)
    shown = rows.order_by("-sort_key").values("pk", "tag", "kind", "commit", "tagger", "tagged_at", "commit_total")
    return cast("list[dict[str, Any]]", list(shown[:limit]))


def tag_names(project: Project, limit: int = 2000) -> list[str]:
    """Names of the tags there are, the last seen first."""
    rows = Ref.objects.filter(project=project, name__startswith="refs/tags/", deleted_at=None)
    return [name.removeprefix("refs/tags/") for name in rows.order_by("-pk").values_list("name", flat=True)[:limit]]


def settings_history(project: Project, limit: int = 8) -> list[Event]:
    """Who changed what in the settings, newest first."""
    kinds = ("project.", "credential.", "hook.renewed", "access.", "release.planned")
    chosen = Q()
    for kind in kinds:
        chosen |= Q(kind__startswith=kind)
    return list(Event.objects.filter(chosen, project=project)[:limit])
