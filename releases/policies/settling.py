"""Settling by hand: a person confirms, denies or waives, with a reason; git's own verdict stays beside it.

A decision is one `Settlement` row; the verdict's row carries its effect, and in `found` what git says. Each judgement
lays the standing decision over git's answer anew (`verdict_laid`); the sweep ends what ran out.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from releases import live
from releases.evidence.verdicts import Code
from releases.ledger.services import event_write
from releases.projects.models import Project

from .models import Settlement, Verdict
from .overlay import (
    CONFIRMABLE,
    DENIABLE,
    RAN_OUT,
    WAIVABLE,
    Decided,
    Found,
    counterparts_of,
    laid_over,
    why_ended,
)
from .typed import Refused, typed

LONGEST_WAIVER = 90
"""Days that a waiver may last, counted from the day it is given or extended."""
ATTENTION = timedelta(days=7)
"""How long before its end a waiver shows up again."""
LONGEST_REASON = 2000


class SettleError(Refused):
    """`field` is reason, until or empty; the text is a sentence for people."""


# --- what a decision does to a verdict ----------------------------------------------------------------------------


def decided(settlement: Settlement) -> Decided:
    """The decision as plain data."""
    return Decided(
        settlement.kind, settlement.by_name, settlement.reason, settlement.at, settlement.until,
        frozenset(settlement.counterparts),
    )  # fmt: skip


_KEPT = ("code", "settled", "owed", "why", "detail", "lag_seconds")
_TIMES = ("owed_since", "settled_at")


def git_verdict(row: Verdict) -> Verdict:
    """The row as git alone has it: what `found` holds, or the row itself. Not saved."""
    if row.found is None:
        return row
    told = row.found
    bare = Verdict(pk=row.pk, fix_id=row.fix_id, target_id=row.target_id, project_id=row.project_id)
    bare.commits, bare.preview, bare.judged_at = row.commits, row.preview, row.judged_at
    for name in _KEPT:
        setattr(bare, name, told[name])
    for name in _TIMES:
        setattr(bare, name, datetime.fromisoformat(told[name]) if told[name] else None)
    return bare


def verdict_laid(bare: Verdict, settlement: Settlement | None, at: datetime, *, countable: bool) -> str:
    """Lay the standing decision over a row that holds git's answer; returns why the decision ended, if it did.

    `countable`: the fix is no chore and still live, so that lacking it is owed.
    """
    bare.settlement, bare.found = None, None
    if settlement is None:
        return ""
    code, what = Code(bare.code), decided(settlement)
    ended = why_ended(what, Found(code, bare.settled, counterparts_of(bare.commits)), at)
    if ended:
        return ended
    found: dict[str, Any] = {name: getattr(bare, name) for name in _KEPT}
    for name in _TIMES:
        moment = getattr(bare, name)
        found[name] = moment.isoformat() if moment else None
    laid = laid_over(what, code)
    bare.settlement, bare.found = settlement, found
    bare.code, bare.settled, bare.why, bare.detail = laid.code.value, laid.settled, laid.why[:4000], laid.detail[:200]
    bare.owed = countable and not laid.settled
    since = bare.owed_since or bare.fix.live_since or settlement.at
    bare.owed_since = since if bare.owed else None
    bare.settled_at = settlement.at if laid.settled else None
    bare.lag_seconds = None
    return ""


# --- what people decide -------------------------------------------------------------------------------------------


def settle_confirm(
    verdict: Verdict, reason: str, actor: Any = None, *, shown: Sequence[str] | None = None
) -> Settlement:
    """The target has it: settle a Likely or Declared. Raises SettleError.

    `shown` are the counterparts that the person looked at; others by now refuse it.
    """
    return _decide(verdict, Settlement.Kind.CONFIRMED, reason, actor, shown=shown)


def settle_different(
    verdict: Verdict, reason: str, actor: Any = None, *, shown: Sequence[str] | None = None
) -> Settlement:
    """What git found is not the same: the target lacks the fix. Raises SettleError."""
    return _decide(verdict, Settlement.Kind.DIFFERENT, reason, actor, shown=shown)


def settle_waive(verdict: Verdict, reason: str, until: datetime | date, actor: Any = None) -> Settlement:
    """The target need not have it until then, 90 days at most. Raises SettleError."""
    return _decide(verdict, Settlement.Kind.WAIVED, reason, actor, until=_until(until))


def settlement_withdraw(settlement: Settlement, why: str, actor: Any = None) -> None:
    """Take a decision back: git's verdict counts again. Raises SettleError."""
    said = typed(why, "reason", "The reason", 280, lines=True, error=SettleError)
    with transaction.atomic():
        row = _locked(settlement.fix_id, settlement.target_id)
        standing = Settlement.objects.filter(pk=settlement.pk, ended_at=None).select_related("fix", "target").first()
        if standing is None:
            raise SettleError("", "This was withdrawn or ended already.", "ended")
        now = timezone.now()
        _end(standing, now, f"withdrawn: {said}", actor)
        _restore(row, now)
        _tell(standing, "settlement.withdrawn", actor, said, old=standing.kind, new=row.code)
        _touch(standing.project_id, now)


def settle_refusal(verdict: Verdict, kind: str) -> str:
    """Why this cannot be decided about the verdict now, as a sentence; empty when it can."""
    bare = git_verdict(verdict)
    code = Code(bare.code)
    if verdict.target.closed_at is not None:
        return f"{verdict.target.branch} is not open any more: nothing is owed to it."
    if verdict.fix.chore:
        return "Version bumps and changelogs are never owed."
    if kind == Settlement.Kind.CONFIRMED:
        if bare.settled:
            return "Git has settled this already."
        return "" if code in CONFIRMABLE else f"There is nothing to confirm: git says {code.label.lower()}."
    if kind == Settlement.Kind.DIFFERENT:
        return "" if code in DENIABLE else "Only what was found by likeness or by a message can be told apart by hand."
    if bare.settled:
        return "Git has settled this already."
    return "" if code in WAIVABLE else f"{code.label} cannot be waived."


def _decide(
    verdict: Verdict, kind: str, reason: str, actor: Any, *, until: datetime | None = None,
    shown: Sequence[str] | None = None,
) -> Settlement:  # fmt: skip
    said = typed(reason, "reason", "The reason", LONGEST_REASON, lines=True, error=SettleError)
    with transaction.atomic():
        row = _locked(verdict.fix_id, verdict.target_id)
        refusal = settle_refusal(row, kind)
        if refusal:
            raise SettleError("", refusal, "not-now")
        bare = git_verdict(row)
        here = counterparts_of(bare.commits)
        if kind != Settlement.Kind.WAIVED and frozenset(shown if shown is not None else here) != here:
            raise SettleError("", "Git found other evidence meanwhile. Look again, then decide.", "evidence")
        now = timezone.now()
        for standing in Settlement.objects.filter(fix=row.fix_id, target=row.target_id, ended_at=None):
            _end(standing, now, "replaced", actor)
        made = Settlement.objects.create(
            project_id=row.project_id, fix_id=row.fix_id, target_id=row.target_id, kind=kind, reason=said, until=until,
            counterparts=sorted(here), by=actor, by_name=actor.get_username() if actor else "operator", at=now,
        )  # fmt: skip
        old = row.code
        _save(bare, row, made, now)
        _tell(made, f"settlement.{kind}", actor, said, old=old, new=bare.code)
        _touch(row.project_id, now)
    return made


def _until(until: datetime | date) -> datetime:
    """The end as a moment: a day ends when it is over. Raises SettleError for the past and for the far future."""
    if not isinstance(until, datetime):
        until = datetime.combine(until, time(23, 59, 59), timezone.get_current_timezone())
    elif timezone.is_naive(until):
        until = timezone.make_aware(until)
    now = timezone.now()
    if until <= now:
        raise SettleError("until", "The end lies in the past. Choose a later day.", "past")
    if timezone.localdate(until) > timezone.localdate(now) + timedelta(days=LONGEST_WAIVER):
        raise SettleError("until", f"Choose a date in the next {LONGEST_WAIVER} days. It can be extended later.", "far")
    return until


def _locked(fix_id: int, target_id: int) -> Verdict:
    rows = Verdict.objects.select_for_update(of=("self",)).select_related("fix", "target", "settlement")
    row = rows.filter(fix=fix_id, target=target_id).first()
    if row is None:
        raise SettleError("", "This fix is not judged for this branch any more.", "gone")
    return row


LAID_FIELDS = ("code", "settled", "owed", "why", "detail", "owed_since", "settled_at", "lag_seconds", "found")
"""What a decision changes about a verdict's row, beside `settlement`."""


def _save(bare: Verdict, row: Verdict, settlement: Settlement | None, now: datetime) -> None:
    """Write git's answer with the decision laid over it; the same checks as at every judgement."""
    bare.fix, bare.target = row.fix, row.target
    countable = row.fix.present and not row.fix.chore and row.target.closed_at is None
    verdict_laid(bare, settlement, now, countable=countable)
    if settlement is None:
        bare.owed = countable and not bare.settled
        bare.owed_since = (bare.owed_since or row.fix.live_since or now) if bare.owed else None
    bare.save(update_fields=[*LAID_FIELDS, "settlement"])


def _restore(row: Verdict, now: datetime) -> None:
    """Let git's verdict count again; `row` shows it afterwards."""
    _save(git_verdict(row), row, None, now)
    row.refresh_from_db()


def _end(settlement: Settlement, at: datetime, why: str, actor: Any = None) -> bool:
    return bool(
        Settlement.objects.filter(pk=settlement.pk, ended_at=None).update(
            ended_at=at, ended_by=actor, ended_why=why[:300]
        )
    )  # fmt: skip


def _tell(settlement: Settlement, kind: str, actor: Any, why: str, *, old: str, new: str) -> None:
    evidence: dict[str, Any] = {"settlement": settlement.pk, "counterparts": settlement.counterparts[:20]}
    if settlement.until:
        evidence["until"] = settlement.until.isoformat()
    event_write(
        kind, project_id=settlement.project_id, actor=actor, actor_name="" if actor else "operator",
        subject=f"fix:{settlement.fix.key}", target=settlement.target.branch, old=old, new=new, why=why,
        evidence=evidence,
    )  # fmt: skip


def _touch(project_pk: int, now: datetime) -> None:
    Project.objects.filter(pk=project_pk).update(decided_at=now)
    live.publish(live.project_topic(project_pk), live.OVERVIEW)


# --- what runs out ------------------------------------------------------------------------------------------------


def settlements_sweep(now: datetime | None = None) -> list[int]:
    """End the waivers whose day has come; returns the projects in which something is owed again because of it."""
    now = now or timezone.now()
    due = Settlement.objects.filter(ended_at=None, until__lte=now).select_related("fix", "target")
    return sorted({settlement.project_id for settlement in list(due) if _run_out(settlement, now)})


def _run_out(settlement: Settlement, now: datetime) -> bool:
    with transaction.atomic():
        row = Verdict.objects.select_for_update(of=("self",)).select_related("fix", "target")
        found = row.filter(fix=settlement.fix_id, target=settlement.target_id).first()
        if not _end(settlement, now, RAN_OUT):
            return False
        if found is not None and found.settlement_id == settlement.pk:
            _restore(found, now)
        tell_ended(settlement, RAN_OUT, found.code if found else "")
        _touch(settlement.project_id, now)
    return True


def settlement_end(settlement: Settlement, why: str, at: datetime, new: str) -> None:
    """End a decision that a judgement found not to hold any more; inside the judgement's transaction."""
    if _end(settlement, at, why):
        tell_ended(settlement, why, new)


def tell_ended(settlement: Settlement, why: str, new: str) -> None:
    """The ledger row of a decision that ended by itself."""
    said = f"What {settlement.by_name} decided ({settlement.kind}) no longer holds: {why}."
    event_write(
        "settlement.ended", project_id=settlement.project_id, subject=f"fix:{settlement.fix.key}",
        target=settlement.target.branch, old=settlement.kind, new=new, why=said,
        evidence={"settlement": settlement.pk},
    )  # fmt: skip


def waivers_ending(project_pks: Sequence[int], now: datetime | None = None) -> list[Settlement]:
    """Waivers that end within a week, the first to end first. One query."""
    soon = (now or timezone.now()) + ATTENTION
    rows = Settlement.objects.filter(project__in=project_pks, ended_at=None, until__lte=soon, target__closed_at=None)
    return list(rows.select_related("fix", "target", "project").order_by("until", "pk"))
