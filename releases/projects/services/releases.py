"""Version tags as releases: which are on production, which came before which, which is live."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime

from django.db import transaction

from releases.git.repository import RefRow
from releases.ledger.models import Event
from releases.ledger.services import events_write

from ..lineage import Step
from ..models import Project, Release
from ..versions import TagVersion, tag_version
from .refs import clean, events_bounded, moment, ref_event


def releases_record(
    project: Project, seen: Iterable[RefRow], on_production: Collection[str], tag_pattern: str, at: datetime
) -> int:
    """Bring the rows of releases in line with the version tags; returns how many changed.

    `on_production` holds the short names of the tags that production contains.
    """
    pattern = re.compile(tag_pattern)
    with transaction.atomic():
        known = {release.tag: release for release in Release.objects.filter(project=project)}
        first = not known
        rows: list[Release] = []
        events: list[Event] = []
        here: dict[str, str] = {}
        for ref in seen:
            tag = clean(ref.name.removeprefix("refs/tags/"), 250)
            version = tag_version(tag) if ref.commit and pattern.search(tag) else None
            if version is None:
                continue
            here[tag] = ref.commit
            old = known.get(tag)
            row = _release_row(project, tag, ref, version, old, at)
            row.on_production = tag in on_production
            if old is None or _differs(row, old):
                rows.append(row)
                events += _release_events(project, row, old, first)
        for tag, old in known.items():
            if tag not in here and old.deleted_at is None:
                old.deleted_at, old.on_production = at, False
                rows.append(old)
        _releases_write(rows)
        moved = [row.pk for row in known.values() if row.tag in here and row.commit != here[row.tag]]
        Release.objects.filter(pk__in=moved).update(previous=None, commit_total=0)
        events_write(events_bounded(project, events))
        _production_release_record(project)
    return len(rows)


_RELEASE_FIELDS = (
    "tag_object", "commit", "kind", "version", "sort_key", "tagger", "subject", "message", "tagged_at",
    "on_production", "moved_at", "deleted_at",
)  # fmt: skip


def _release_row(
    project: Project, tag: str, ref: RefRow, version: TagVersion, old: Release | None, at: datetime
) -> Release:
    moved = old is not None and (old.commit != ref.commit)
    return Release(
        project=project,
        tag=tag,
        tag_object=ref.sha if ref.sha != ref.commit else "",
        commit=ref.commit,
        kind=version.kind,
        version=version.version,
        sort_key=version.sort_key,
        tagger=clean(ref.tagger, 200),
        subject=clean(ref.subject, 300),
        message=clean(ref.message, 20_000),
        tagged_at=moment(ref.tagged_at if ref.tagged_at is not None else ref.committed_at),
        first_seen_at=old.first_seen_at if old else at,
        moved_at=at if moved else old.moved_at if old else None,
    )


def _differs(row: Release, old: Release) -> bool:
    return any(getattr(row, name) != getattr(old, name) for name in _RELEASE_FIELDS)


def _release_events(project: Project, row: Release, old: Release | None, first: bool) -> list[Event]:
    """A moved tag is always told; a new one is, unless it is part of the first look at the whole history."""
    if old is not None:
        if old.commit == row.commit:
            return []
        return [ref_event(project, "tag.moved", f"refs/tags/{row.tag}", old.commit, row.commit)]
    if first:
        return []
    return [
        Event(
            project=project,
            kind="release.new",
            actor_name=row.tagger[:150] or "git",
            subject=f"release:{row.tag}"[:300],
            new=row.commit,
            why=f"{row.tag} was tagged.",
        )
    ]


def _releases_write(rows: list[Release]) -> None:
    for row in rows:
        row.pk = None
    Release.objects.bulk_create(
        rows, update_conflicts=True, unique_fields=["project", "tag"], update_fields=list(_RELEASE_FIELDS)
    )


def _production_release_record(project: Project) -> None:
    live = Release.objects.filter(project=project, on_production=True, deleted_at=None)
    newest = live.exclude(kind=Release.Kind.PRE).order_by("-sort_key").first() or live.order_by("-sort_key").first()
    if (newest.pk if newest else None) == project.production_release_id:
        return
    before = project.production_release.tag if project.production_release else ""
    Project.objects.filter(pk=project.pk).update(production_release=newest)
    project.production_release = newest
    if before and newest:
        events_write(
            [
                Event(
                    project=project,
                    kind="production.changed",
                    actor_name="git",
                    subject=f"release:{newest.tag}"[:300],
                    old=before,
                    new=newest.tag,
                    why=f"{newest.tag} is in production now; before it was {before}.",
                )
            ]
        )


def releases_link(project: Project, steps: Mapping[str, Step]) -> int:
    """Write which release came before each and how many commits lie between; returns how many changed."""
    rows = {row.tag: row for row in Release.objects.filter(project=project)}
    keys = {tag: row.pk for tag, row in rows.items()}
    changed: list[Release] = []
    for tag, step in steps.items():
        row, before = rows.get(tag), keys.get(step.previous or "")
        if row is None or (row.previous_id, row.commit_total) == (before, step.commits):
            continue
        row.previous_id, row.commit_total = before, step.commits
        changed.append(row)
    for row in changed:
        row.pk = None
    # Much quicker than an update of each: one statement for hundreds of rows, which are known to stand.
    Release.objects.bulk_create(
        changed,
        update_conflicts=True,
        unique_fields=["project", "tag"],
        update_fields=["previous", "commit_total"],
    )
    return len(changed)
