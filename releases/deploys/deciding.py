"""What was shown when people decided about a run, kept as evidence: what runs in a place changes, and pages with it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from django.db import transaction

from releases.git.page_reads import CommitInfo, FileCount
from releases.operations.services import storable

from .aftermath import Owed, owes_after, rollback_plan
from .binding import RELATED
from .delta import Base, Delta, delta_of
from .models import Approval, Run, Shown
from .risks import Risk, risks_of

log = logging.getLogger(__name__)

FILES = 10_000
"""Files that are kept by name; of more, only how many."""


@dataclass(frozen=True, slots=True)
class Picture:
    """The parts of an approval page that depend on when it is looked at."""

    delta: Delta
    risks: tuple[Risk, ...]
    plan: tuple[str, ...]
    """How it would be taken back, in sentences."""
    owed: tuple[Owed, ...]

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
            "owed": [asdict(row) for row in self.owed],
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
        return cls(delta, risks, tuple(data["plan"]), tuple(Owed(**row) for row in data["owed"]))


def picture_of(run: Run, *, as_waiting: bool = False) -> Picture:
    """What there is to see now. `as_waiting`: of a run that has just ended, as if it still waited."""
    delta = delta_of(run, as_waiting=as_waiting)
    plan = rollback_plan(run, delta)
    return Picture(delta, tuple(risks_of(run, delta)), plan.says if plan else (), tuple(owes_after(run)))


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


def shown_last(run: Run) -> Shown | None:
    """What was kept last."""
    return Shown.objects.filter(run=run).select_related("approval__person").order_by("-pk").first()


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
