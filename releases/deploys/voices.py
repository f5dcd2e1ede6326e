"""What the voices on a run amount to. Reads rows; changes none."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from .models import Approval, Run


@dataclass(frozen=True, slots=True)
class Quorum:
    """How many must approve a run, and who did."""

    needed: int
    given: tuple[Approval, ...] = ()
    """Approvals that count now, oldest first."""
    rejected: tuple[Approval, ...] = ()

    @property
    def missing(self) -> int:
        return max(0, self.needed - len(self.given))

    @property
    def reached(self) -> bool:
        return not self.missing


def needed_of(run: Run) -> int:
    """How many people must approve this run. Bringing back what ran well, and builds, need nobody's word."""
    return run.environment.approvals if run.kind == Run.Kind.DEPLOY and run.environment else 0


def lives(run: Run) -> timedelta:
    """How long an approval of this run counts."""
    return timedelta(hours=run.environment.approval_hours if run.environment else 24)


def quorum(run: Run, now: datetime | None = None) -> Quorum:
    """What was said about the run, as it counts now."""
    return quorums([run], now)[run.pk]


def said_then(run: Run) -> Quorum:
    """What was said about a run that nobody is asked about any more: no voice grows old, nor goes with its person."""
    standing = list(
        Approval.objects.filter(run=run, withdrawn_at=None).select_related("person").order_by("at", "pk")
    )  # fmt: skip
    yes = Approval.Says.APPROVE
    given, rejected = ([voice for voice in standing if (voice.says == yes) is wanted] for wanted in (True, False))
    return Quorum(needed_of(run), tuple(given), tuple(rejected))


def quorums(runs: Sequence[Run], now: datetime | None = None) -> dict[int, Quorum]:
    """The same for many runs, in one query; they come with their environment beside them."""
    now = now or timezone.now()
    said: dict[int, list[Approval]] = {}
    if runs:
        standing = Approval.objects.filter(run__in=[run.pk for run in runs], withdrawn_at=None)
        for voice in standing.select_related("person").order_by("at", "pk"):
            said.setdefault(voice.run_id, []).append(voice)
    return {run.pk: _quorum(run, said.get(run.pk, ()), now) for run in runs}


def _quorum(run: Run, said: Iterable[Approval], now: datetime) -> Quorum:
    voices = list(said)
    given = [
        voice
        for voice in voices
        if voice.says == Approval.Says.APPROVE and voice.person.is_active and voice.at > now - lives(run)
    ]
    rejected = [voice for voice in voices if voice.says == Approval.Says.REJECT]
    return Quorum(needed_of(run), tuple(given), tuple(rejected))


def missing_of(runs: Sequence[Run], now: datetime) -> dict[int, int]:
    """How many approvals each run lacks; none where the glass was broken or nobody has to approve."""
    asking = [run for run in runs if needed_of(run) and run.glass_by_id is None]
    found = quorums(asking, now) if asking else {}
    return {run.pk: found[run.pk].missing if run.pk in found else 0 for run in runs}
