"""From rows and what git says to the facts that stages are computed from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from releases.ledger.models import Event

from .change import ChangeSize
from .facts import DebtFact, HotfixFacts, TargetFact, Told
from .ground import HEADS, Ground
from .models import Hotfix
from .reviewing import Standing, needed, standing
from .rows import ReleaseRow, VerdictRow
from .stages import StageKey, StageState
from .tying import Tie


def facts_of(
    hotfix: Hotfix, found: Tie, ground: Ground, told: Mapping[str, list[Event]], people: Sequence[Any]
) -> HotfixFacts:
    """Everything that is known about one ticket, as plain data."""
    branch = ground.branches.get(found.branch)
    size = ChangeSize.from_data(found.change)
    reviews = reviews_of(hotfix, found.head, found.commits, ground, people)
    release = ground.releases.get(found.tag)
    return HotfixFacts(
        opened_at=hotfix.created_at.timestamp(),
        track=track_of(hotfix),
        triaged_at=_seconds(hotfix.triaged_at),
        closed=hotfix.closed,
        closed_at=_seconds(hotfix.closed_at),
        way=hotfix.way,
        branch=found.branch,
        branch_here=branch is not None and branch.here,
        branch_at=_seconds(branch.ref.first_seen_at) if branch else None,
        branch_gone_at=_seconds(branch.ref.deleted_at) if branch else None,
        base=found.base_tag,
        commits=len(found.commits),
        fixed_at=float(max(commit["authored_at"] for commit in found.commits)) if found.commits else None,
        strays=size.strays if size else 0,
        faults=len(size.faults) if size else 0,
        needed=reviews.needed,
        approved_by=reviews.approved_by,
        approved_at=_seconds(reviews.approved_at),
        objections=reviews.objections,
        void=reviews.void,
        tag=found.tag,
        tagged_at=_seconds(release.tagged_at or release.first_seen_at) if release else None,
        tagger=release.tagger if release else "",
        live_since=_seconds(found.live_since),
        targets=tuple(_targets(found, ground)) if found.live_since else (),
        debts=tuple(DebtFact(debt.branch, debt.subject, _seconds(debt.settled_at)) for debt in hotfix.debts.all()),
        **_pipeline(found, ground, release, _told(hotfix, found.tag, told)),
    )


def _pipeline(found: Tie, ground: Ground, release: ReleaseRow | None, told: Mapping[str, Told]) -> dict[str, Any]:
    """What the pipeline and the environments of production say."""
    tracked = _tracked(ground, found.tag, release, told)
    if StageKey.PRODUCTION not in tracked:
        return {"told": told, "tracked": tracked}
    return {
        "told": told,
        "tracked": tracked,
        "runs_since": _seconds(found.runs.since) if found.runs else None,
        "runs_tag": found.runs.tag if found.runs else "",
        "runs_instead": found.runs_instead,
    }


def _tracked(
    ground: Ground, tag: str, release: ReleaseRow | None, told: Mapping[str, Told]
) -> frozenset[str]:  # fmt: skip
    """The stages that the pipeline tells of; none for a ticket that went out before there was one."""
    since = ground.pipeline_since
    if not tag or told or (release is not None and since is not None and release.first_seen_at >= since):
        return frozenset(ground.project.stages_told)
    return frozenset()


def reviews_of(
    hotfix: Hotfix, head: str, commits: Sequence[Mapping[str, Any]], ground: Ground, people: Sequence[Any]
) -> Standing:
    """What the ticket's reviews amount to."""
    required = needed(ground.policy, hotfix.severity)
    return standing(list(hotfix.reviews.all()), head, commits, hotfix.owner, required, people)


def track_of(hotfix: Hotfix) -> str:
    """hotfix, regular, or empty before triage."""
    return str((hotfix.triage.get("decided") or {}).get("track") or hotfix.triage.get("says") or "")


def _targets(found: Tie, ground: Ground) -> list[TargetFact]:
    """Every open target with what is known of all the ticket's fixes there."""
    judged: dict[str, list[VerdictRow]] = {}
    for fix in found.fixes:
        for verdict in ground.verdicts.get(fix.pk, ()):
            judged.setdefault(verdict.branch, []).append(verdict)
    due = found.live_since + timedelta(hours=ground.policy.sla_hours) if found.live_since else None
    facts = []
    for target in ground.targets:
        verdicts = judged.get(target.branch)
        if verdicts:
            facts.append(_target(target.branch, verdicts, _seconds(due)))
        elif f"{HEADS}{target.branch}" in found.holders:
            facts.append(TargetFact(target.branch, "merged", settled=True, owed=False))
        elif found.fixes and not ground.is_production(f"{HEADS}{target.branch}"):
            # A line of production that was not asked about is the fix's own line, or one older than it.
            facts.append(TargetFact(target.branch, "", settled=False, owed=False, due=_seconds(due)))
    return facts


def _target(branch: str, verdicts: Sequence[VerdictRow], due: float | None) -> TargetFact:
    """Several fixes count as one: the branch has them when it has the last."""
    worst = next((verdict for verdict in verdicts if verdict.owed), verdicts[0])
    times = [verdict.settled_at.timestamp() for verdict in verdicts if verdict.settled_at]
    settled = all(verdict.settled for verdict in verdicts)
    owed = any(verdict.owed for verdict in verdicts)
    return TargetFact(branch, worst.code, settled, owed, max(times, default=None) if settled else None, due)


def _told(hotfix: Hotfix, tag: str, told: Mapping[str, list[Event]]) -> dict[str, Told]:
    """The newest word of the ledger on each stage; rows that name no state are passed over."""
    found: dict[str, Told] = {}
    events = [*told.get(f"hotfix:{hotfix.key}", ()), *(told.get(f"release:{tag}", ()) if tag else ())]
    for event in sorted(events, key=lambda event: (event.at, event.pk), reverse=True):
        stage = event.kind.removeprefix("stage.")
        if stage in set(StageKey) and event.new in set(StageState):
            found.setdefault(stage, Told(event.new, event.at.timestamp(), event.why[:80]))
    return found


def _seconds(moment: datetime | None) -> float | None:
    return moment.timestamp() if moment else None
