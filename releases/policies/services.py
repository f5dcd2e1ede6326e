"""The one writer of targets, fixes and verdicts: a report becomes rows, in one transaction, and what turned is told.

Only what changed is written. A fix that becomes owed to a target, or stops being owed, leaves one ledger row; the row
is part of the same transaction as the verdict, so a crash leaves either both or neither, and a replay finds no change.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime

from django.db import transaction

from releases.evidence.verdicts import FixReport, Report
from releases.ledger.models import Event
from releases.ledger.services import events_write
from releases.projects.models import FetchRun, Project, Release
from releases.projects.services.fetches import fetch_held
from releases.projects.services.refs import clean, moment

from .flow import FlowPolicy, Preset
from .models import Fix, Settlement, Target, Verdict
from .names import matches, version_in
from .settling import git_verdict, settlement_end, verdict_laid
from .turns import Judged, turn, verdict_row

_MAIN = ("main", "master", "trunk", "default")


@dataclass(slots=True)
class Recorded:
    """What one report changed."""

    fixes: int = 0
    verdicts: int = 0
    owed: int = 0
    """Pairs of fix and target that became owed."""
    settled: int = 0
    """Pairs that are no longer owed because the target got the fix."""
    events: list[Event] = field(default_factory=list)

    @property
    def changed(self) -> bool:
        return bool(self.fixes or self.verdicts or self.events)


def report_record(
    project: Project, report: Report, at: datetime, *, run: FetchRun | None = None, previews: bool = True
) -> Recorded:
    """Make the rows say what the report says. With `run`, only while this worker still holds it (`FetchLost`).

    `previews` tells that the report carries them; without, those of unmoved targets are kept.
    """
    policy = FlowPolicy.from_data(project.policy)
    with _held(project, run):
        recorded = Recorded()
        targets, moved = _targets_record(project, report, policy, at, recorded)
        fixes = _fixes_record(project, report, at, recorded)
        kept_previews = set() if previews else {target.pk for target in targets.values() if target.pk not in moved}
        _verdicts_record(project, report, targets, fixes, at, recorded, kept_previews)
        _retire(project, targets, fixes, recorded)
        for event in recorded.events:
            event.at = at
            if run is not None and not event.key:
                event.key = f"run{run.pk}.{run.fence}:{event.kind}:{event.subject[:80]}:{event.target}"[:200]
        events_write(recorded.events)
        Project.objects.filter(pk=project.pk).update(judged_at=at)
    return recorded


def _held(project: Project, run: FetchRun | None) -> AbstractContextManager[object]:
    return fetch_held(run) if run is not None else transaction.atomic()


def target_kind(branch: str, policy: FlowPolicy) -> str:
    """What a target branch is to the project: its next release, an open release, a supported line, or main.

    A line of production that is a target as well, for the fixes of older ones, is supported, however it is called.
    """
    if policy.preset is Preset.MAINTENANCE and matches(branch, policy.production):
        return Target.Kind.SUPPORT
    if matches(branch, policy.release_branches):
        return Target.Kind.RELEASE
    if matches(branch, policy.support_branches):
        return Target.Kind.SUPPORT
    return Target.Kind.MAIN if branch in _MAIN else Target.Kind.DEVELOP


def _planned_version(branch: str, kind: str, prefix: str) -> str:
    version = version_in(branch) if kind == Target.Kind.RELEASE else None
    return f"{prefix}{version[0]}.{version[1]}.{version[2]}" if version else ""


def _targets_record(
    project: Project, report: Report, policy: FlowPolicy, at: datetime, recorded: Recorded
) -> tuple[dict[str, Target], set[int]]:
    """Open, move and close targets; returns the open ones by their name in the report, and which moved."""
    known = {target.branch: target for target in Target.objects.filter(project=project)}
    live = project.production_release
    prefix = "v" if live is None or live.tag.startswith("v") else ""
    open_now: dict[str, Target] = {}
    moved: set[int] = set()
    for position, name in enumerate(report.targets):
        branch = clean(name, 250)
        kind = target_kind(branch, policy)
        target = known.get(branch) or Target(project=project, branch=branch, opened_at=at)
        before = (target.pk, target.kind, target.tip, target.planned_version, target.position, target.closed_at)
        reopened, old_tip = target.closed_at is not None, target.tip
        target.kind, target.position, target.closed_at = kind, position, None
        target.tip = report.git.get(name, "")
        target.planned_version = _planned_version(branch, kind, prefix)
        if before != (target.pk, target.kind, target.tip, target.planned_version, target.position, None):
            is_new = target.pk is None
            target.save()
            if is_new or reopened:
                recorded.events.append(_target_event(project, "target.opened", branch, f"{branch} is a target now."))
        if target.tip != old_tip and target.pk is not None:
            moved.add(target.pk)
        open_now[name] = target
    names = {target.branch for target in open_now.values()}
    for branch, target in known.items():
        if branch not in names and target.closed_at is None:
            target.closed_at = at
            target.save(update_fields=["closed_at"])
            why = f"{branch} is no longer open: it was released, is gone, or the policy changed."
            recorded.events.append(_target_event(project, "target.closed", branch, why))
    return open_now, moved


def _target_event(project: Project, kind: str, branch: str, why: str) -> Event:
    return Event(project=project, kind=kind, actor_name="git", subject=f"ref:refs/heads/{branch}"[:300], why=why)


_FIX_FIELDS = (
    "kind", "subject", "ticket", "author_name", "authored_at", "production_ref", "shipped_in", "release_id",
    "live_since", "live_since_source", "commits", "chore", "security", "present",
)  # fmt: skip


def _fixes_record(project: Project, report: Report, at: datetime, recorded: Recorded) -> dict[str, Fix]:
    known = {fix.key: fix for fix in Fix.objects.filter(project=project)}
    wanted = {fix.shipped_in for fix in report.fixes if fix.shipped_in}
    releases = dict(Release.objects.filter(project=project, tag__in=wanted).values_list("tag", "pk")) if wanted else {}
    rows: list[Fix] = []
    for told in report.fixes:
        old = known.get(told.id)
        row = _fix_row(project, told, old, releases, at)
        if old is None or any(getattr(row, name) != getattr(old, name) for name in _FIX_FIELDS):
            rows.append(row)
    here = {told.id for told in report.fixes}
    for key, old in known.items():
        if old.present and key not in here:
            old.present = False
            rows.append(old)
            why = "It is no longer part of production's history."
            recorded.events.append(_fix_event(project, "fix.gone", old, why))
    recorded.fixes = len(rows)
    if rows:
        for row in rows:
            row.pk = None
        Fix.objects.bulk_create(
            rows,
            update_conflicts=True,
            unique_fields=["project", "key"],
            update_fields=[name.removesuffix("_id") for name in _FIX_FIELDS],
        )
        known = {fix.key: fix for fix in Fix.objects.filter(project=project)}
    return known


def _fix_row(project: Project, told: FixReport, old: Fix | None, releases: dict[str, int], at: datetime) -> Fix:
    first = told.commits[0] if told.commits else None
    live, source = moment(told.live_since), told.live_since_source or "tag"
    if old is not None and old.live_since_source == "seen" and old.live_since is not None:
        # It was seen live before anybody tagged it: the earliest of what is known counts.
        if live is None or old.live_since < live:
            live, source = old.live_since, "seen"
    elif live is None:
        live, source = at, "seen"
    commits = [{k: clean(v, 500) if isinstance(v, str) else v for k, v in asdict(c).items()} for c in told.commits]
    return Fix(
        project=project,
        key=told.id,
        kind=told.kind,
        subject=clean(told.subject, 500),
        ticket=clean(told.ticket or "", 80),
        author_name=clean(first.author_name, 200) if first else "",
        authored_at=moment(first.authored_at) if first else None,
        production_ref=clean(told.production_ref, 250),
        shipped_in=clean(told.shipped_in or "", 250),
        release_id=releases.get(told.shipped_in or ""),
        live_since=live,
        live_since_source=source,
        commits=commits,
        chore=told.chore,
        security=told.security,
        present=True,
        first_seen_at=old.first_seen_at if old else at,
    )


def _fix_event(project: Project, kind: str, fix: Fix, why: str) -> Event:
    return Event(project=project, kind=kind, actor_name="git", subject=f"fix:{fix.key}", why=why)


_VERDICT_FIELDS = (
    "code", "settled", "owed", "why", "detail", "commits", "preview", "owed_since", "settled_at", "lag_seconds",
    "settlement_id", "found",
)  # fmt: skip


def _verdicts_record(
    project: Project,
    report: Report,
    targets: dict[str, Target],
    fixes: dict[str, Fix],
    at: datetime,
    recorded: Recorded,
    kept_previews: set[int],
) -> None:
    known = {(v.fix_id, v.target_id): v for v in Verdict.objects.filter(project=project)}
    standing = {
        (s.fix_id, s.target_id): s
        for s in Settlement.objects.filter(project=project, ended_at=None).select_related("fix", "target")
    }
    rows: list[Verdict] = []
    for told in report.fixes:
        fix = fixes[told.id]
        for name, answer in told.verdicts.items():
            target = targets.get(name)
            if target is None:
                continue
            old = known.get((fix.pk, target.pk))
            judged = Judged(project, fix, target, answer, old, at, target.pk in kept_previews)
            row = verdict_row(replace(judged, old=git_verdict(old) if old else None))
            settlement = standing.get((fix.pk, target.pk))
            ended = verdict_laid(row, settlement, at, countable=not fix.chore and fix.present)
            if settlement is not None and ended:
                settlement_end(settlement, ended, at, row.code)
            if old is not None and all(getattr(row, name) == getattr(old, name) for name in _VERDICT_FIELDS):
                continue
            rows.append(row)
            told_turn = turn(judged, row)
            if told_turn is not None:
                recorded.events.append(told_turn)
                recorded.owed += told_turn.kind in ("fix.owed", "fix.reverted")
                recorded.settled += told_turn.kind == "fix.settled"
    recorded.verdicts = len(rows)
    _verdicts_write(rows)


def _verdicts_write(rows: Sequence[Verdict]) -> None:
    Verdict.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["fix", "target"],
        update_fields=[*(name.removesuffix("_id") for name in _VERDICT_FIELDS), "judged_at"],
    )


def _retire(project: Project, targets: dict[str, Target], fixes: dict[str, Fix], recorded: Recorded) -> None:
    """Nothing is owed to a closed target, nor for a fix that production no longer has."""
    owed = Verdict.objects.filter(project=project, owed=True)
    open_pks = [target.pk for target in targets.values()]
    gone_pks = [fix.pk for fix in fixes.values() if not fix.present]
    closed = owed.exclude(target_id__in=open_pks)
    recorded.verdicts += closed.update(owed=False)
    for start in range(0, len(gone_pks), 500):
        recorded.verdicts += owed.filter(fix_id__in=gone_pks[start : start + 500]).update(owed=False)
