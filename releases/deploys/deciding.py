"""What was shown when people decided about a run, kept as evidence: what runs in a place changes, and pages with it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from releases.git.page_reads import CommitInfo, FileCount
from releases.operations.services import storable

from .aftermath import Owed, Proof, owes_after, proofs_of, rollback_plan, staged
from .binding import RELATED
from .delta import Base, Delta, delta_of
from .models import Approval, Run, Shown, Step
from .risks import Risk, risks_of
from .voices import needed_of

log = logging.getLogger(__name__)

FILES = 10_000
"""Files that are kept by name; of more, only how many."""
FACTS, LONGEST_WHY = 10, 1000
"""Facts of a step, and characters of what was said about it, that are kept."""


@dataclass(frozen=True, slots=True)
class Picture:
    """The parts of an approval page that depend on when it is looked at."""

    delta: Delta
    risks: tuple[Risk, ...]
    plan: tuple[str, ...]
    """How it would be taken back, in sentences."""
    owed: tuple[Owed, ...]
    proofs: tuple[Proof, ...] | None = None
    """What had looked at this very artifact; None where that was not kept yet."""
    ran: tuple[str, ...] = ()
    """Environments that had run exactly this well."""
    needed: int | None = None
    """How many people had to say yes; None where that was not kept yet."""

    def as_data(self) -> dict[str, Any]:
        """As JSON; `from_data` reads it again."""
        delta, base = self.delta, self.delta.base
        data = {
            "base": {name: getattr(base, name) for name in ("commit", "name", "how", "says", "drift")},
            "ahead": delta.ahead, "behind": delta.behind, "counted": delta.counted, "problem": delta.problem,
            "tickets": list(delta.tickets), "oldest": _text(delta.oldest),
            "commits": [_commit_data(info) for info in delta.commits],
            "files": [[file.path, file.added, file.removed] for file in delta.files[:FILES]],
            "more_files": max(0, len(delta.files) - FILES),
            "risks": [asdict(risk) for risk in self.risks], "plan": list(self.plan),
            "owed": [asdict(row) for row in self.owed], "ran": list(self.ran), "needed": self.needed,
            "proofs": None if self.proofs is None else [_proof_data(row) for row in self.proofs],
        }  # fmt: skip
        clean: dict[str, Any] = storable(data)
        return clean

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Picture:
        """Read what was kept."""
        files = [FileCount(*row) for row in data["files"]]
        delta = Delta(
            Base(**data["base"]), data["ahead"], data["behind"], tuple(_commit_of(row) for row in data["commits"]),
            tuple(files), data["counted"], tuple(data["tickets"]), _moment(data["oldest"]), data["problem"],
            data["more_files"],
        )  # fmt: skip
        risks = tuple(replace(Risk(**row), paths=tuple(row["paths"])) for row in data["risks"])
        kept = data.get("proofs")
        return cls(
            delta, risks, tuple(data["plan"]), tuple(Owed(**row) for row in data["owed"]),
            None if kept is None else tuple(map(_proof_of, kept)), tuple(data.get("ran", ())), data.get("needed"),
        )  # fmt: skip


def picture_of(run: Run, *, as_waiting: bool = False) -> Picture:
    """What there is to see now. `as_waiting`: of a run that has just ended, as if it still waited."""
    delta = delta_of(run, as_waiting=as_waiting)
    plan = rollback_plan(run, delta)
    ran = dict.fromkeys(other.environment.name for other in staged(run) if other.environment is not None)
    return Picture(
        delta, tuple(risks_of(run, delta)), plan.says if plan else (), tuple(owes_after(run)),
        tuple(proofs_of(run)), tuple(ran), needed_of(run),
    )  # fmt: skip


def shown_keep(run: Run, picture: Picture, approval: Approval | None = None) -> Shown:
    """Keep it with the run; in the transaction of the decision."""
    return Shown.objects.create(run=run, approval=approval, data=picture.as_data())


def shown_keep_at_end(run_pk: int) -> None:
    """After the commit that ended a run which nobody had decided about: keep what there was to decide about."""

    def keep() -> None:
        try:
            run = Run.objects.select_related(*RELATED, "asked_by").get(pk=run_pk)
            if run.environment_id is not None and not Shown.objects.filter(run=run).exists():
                shown_keep(run, picture_of(run, as_waiting=True))
        except Exception:
            # The end itself is written down; its page then says what git says now.
            log.exception("what run %s would have changed could not be kept", run_pk)

    transaction.on_commit(keep)


def shown_all(run: Run) -> list[Shown]:
    """What was kept, decision by decision, the last one first; each reads its `data` when it is asked for."""
    return list(Shown.objects.filter(run=run).select_related("approval__person").defer("data").order_by("-pk"))


_STEP = ("index", "name", "kind", "state", "ended", "exit_code", "signal", "first_line")
"""Columns of a step that are kept as they are."""


def _proof_data(proof: Proof) -> dict[str, Any]:
    """A step as it is now; of one that goes on, so far."""
    step = proof.step
    return {name: getattr(step, name) for name in _STEP} | {
        "where": proof.where, "run": proof.run.pk, "by": proof.by, "why": step.why[:LONGEST_WHY],
        "facts": dict(list(step.facts.items())[:FACTS]), "began": _text(step.started_at),
        "ended_at": _text(step.finished_at or (timezone.now() if step.started_at else None)),
    }  # fmt: skip


def _proof_of(row: Mapping[str, Any]) -> Proof:
    step = Step(
        run_id=row["run"], why=row["why"], facts=row["facts"], started_at=_moment(row["began"]),
        finished_at=_moment(row["ended_at"]), **{name: row[name] for name in _STEP},
    )  # fmt: skip
    return Proof(row["where"], step, Run(pk=row["run"]), row["by"])


def _commit_data(info: CommitInfo) -> list[Any]:
    times = [_text(info.authored_at), _text(info.committed_at)]
    return [info.sha, list(info.parents), info.author, info.email, *times, info.subject]


def _commit_of(row: list[Any]) -> CommitInfo:
    sha, parents, author, email, authored, committed, subject = row
    return CommitInfo(sha, tuple(parents), author, email, _moment(authored), _moment(committed), subject)


def _text(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment is not None else None


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
